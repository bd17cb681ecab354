import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { randomTensor, runModel } from '../onnx/fixtures/run.ts';
import { graphBuilder, modelOf, type OnnxModel } from '../onnx/index.ts';
import type { RuleSet } from './backward-rules.ts';
import { gradientModel } from './complete.ts';
import { relativeError } from './fixtures/cases.ts';
import {
  activations,
  channels,
  classes,
  conv,
  heads,
  layers,
  numbers,
  type Spelling,
  weights,
} from './fixtures/spellings.ts';
import { deconvnet, deepLift, guidedBackprop, lrp } from './index.ts';
import type { LrpOptions } from './relevance/lrp.ts';

// Exporters write the same function as different graphs (spellings). An explanation of a network
// must not depend on the spelling. Each spelling is compared with the first one of its group.

/** conv → the function → conv → ReLU → head, for a picture [n, 3, 8, 8]. */
function network({ build, opset }: Spelling, where: 'inside' | 'head'): OnnxModel {
  const b = graphBuilder({ opset: { '': opset, 'com.microsoft': 1 } });
  const x = b.input('x', 'float32', ['n', 3, 8, 8]);
  const first = b.add('Conv', [x, weights(b, 1, 3), b.constant(numbers(channels, 2), [channels])], {
    kernel_shape: [3, 3],
    pads: [1, 1, 1, 1],
  });
  const inside = where === 'inside' ? build(b, first) : b.add('Relu', [first]);
  const second = b.add('Relu', [conv(b, inside, 4)]);
  const head = where === 'head' ? build : heads.head?.[0]?.build;
  b.add('Identity', [head?.(b, second) ?? ''], {}, 'y');
  b.output('y', 'float32', ['n', classes]);
  return modelOf(b.finish());
}

const options = (convolution: LrpOptions['convolution'], first = convolution): LrpOptions => ({
  first,
  convolution,
  dense: convolution === 'gamma' ? 'epsilon' : convolution,
  epsilon: 0.05,
  gamma: 0.25,
  alpha: 2,
  low: [-1, -1, -1],
  high: [1, 1, 1],
});

const ruleSets: readonly [name: string, rules: RuleSet | undefined, tolerance: number][] = [
  ['gradient', undefined, 2e-5],
  ['LRP, epsilon', lrp(options('epsilon')), 2e-4],
  ['LRP, gamma and box', lrp(options('gamma', 'box')), 2e-4],
  ['LRP, alpha-beta', lrp(options('alpha-beta')), 2e-4],
  ['LRP, flat', lrp(options('flat')), 2e-4],
  ['excitation', lrp(options('excitation')), 2e-4],
  ['DeepLIFT', deepLift, 3e-3],
  ['guided backpropagation', guidedBackprop, 2e-5],
  ['DeconvNet', deconvnet, 2e-5],
];

async function explained(model: OnnxModel, rules: RuleSet | undefined): Promise<Float32Array> {
  const {
    model: backward,
    cotangent,
    gradients,
    reference,
  } = gradientModel(model, {
    of: 'y',
    wrt: ['x'],
    rules,
  });
  const results = await runModel(backward, {
    x: randomTensor([2, 3, 8, 8], 11),
    [cotangent]: new Tensor(
      'float32',
      Float32Array.from({ length: 10 }, (_, i) => Number(i % 6 === 1)),
      [2, 5],
    ),
    ...(reference === null ? {} : { [reference]: randomTensor([1, 3, 8, 8], 12) }),
  });
  return results[gradients.get('x') ?? '']?.data as Float32Array;
}

const groups = Object.entries({ ...activations, ...layers, ...heads });

describe.each(groups)('the explanation of a network with %s', (group, [first, ...others]) => {
  it.each(ruleSets)('does not depend on the spelling: %s', async (_, rules, tolerance) => {
    const where = group === 'head' ? 'head' : 'inside';
    if (first === undefined) throw new Error('no spelling');
    const [input] = [{ x: randomTensor([2, 3, 8, 8], 11) }];
    const model = network(first, where);
    const [wanted, y] = [await explained(model, rules), (await runModel(model, input)).y?.data];
    expect(wanted.some((value) => Math.abs(value) > 1e-6)).toBe(true);
    for (const other of others) {
      const same = network(other, where);
      // The functions are equal except for the rounding of a quantizer.
      const isClose = group === 'quantization' ? 0.05 : 1e-5;
      const got = (await runModel(same, input)).y?.data as Float32Array;
      expect(relativeError(got, y as Float32Array), other.name).toBeLessThan(isClose);
      const error = relativeError(await explained(same, rules), wanted);
      expect(error, other.name).toBeLessThan(group === 'quantization' ? 0.15 : tolerance);
    }
  });
});
