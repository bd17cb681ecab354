import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { randomTensor, runModel } from '../onnx/fixtures/run.ts';
import { type GraphBuilder, graphBuilder, modelOf, type OnnxModel } from '../onnx/index.ts';
import type { RuleSet } from './backward-rules.ts';
import { relativeError } from './fixtures/cases.ts';
import { gradientModel } from './gradient-model.ts';
import { deconvnet, deepLift, guidedBackprop, lrp } from './index.ts';
import type { LrpOptions } from './relevance/lrp.ts';

// One function, spelled in the ways in which exporters spell it: whatever explains a network must
// not depend on the spelling. Each spelling is compared with the first one of its group.

const channels = 4;

/** Numbers between -1 and 1 that depend on the seed only. */
const numbers = (count: number, seed: number): Float32Array =>
  randomTensor([count], seed).data as Float32Array;

interface Spelling {
  readonly name: string;
  readonly opset: number;
  /** Adds the function of x [n, 4, 8, 8], or of the picture [n, 3, 8, 8] where it is a layer. */
  readonly build: (b: GraphBuilder, x: string) => string;
}

/** A helper that writes graphs shortly: constants, operators, operators with an attribute. */
function pen(b: GraphBuilder) {
  const c = (value: number, shape: readonly number[] = []): string =>
    b.constant(Float32Array.of(value), shape);
  return {
    c,
    op: (name: string, ...inputs: string[]): string => b.add(name, inputs),
    add: (x: string, value: number): string => b.add('Add', [x, c(value)]),
    mul: (x: string, value: number): string => b.add('Mul', [x, c(value)]),
    ints: (...values: number[]): string =>
      b.constant(BigInt64Array.from(values, BigInt), [values.length]),
    vector: (seed: number, shape: readonly number[] = [channels]): string =>
      b.constant(numbers(channels, seed), shape),
    clip: (x: string, low: number, high: number): string =>
      b.opset < 11
        ? b.add('Clip', [x], { min: low, max: high })
        : b.add('Clip', [x, c(low), c(high)]),
  };
}
type Pen = ReturnType<typeof pen>;

const spell = (
  name: string,
  build: (p: Pen, x: string, b: GraphBuilder) => string,
  opset = 17,
): Spelling => ({ name, opset, build: (b, x) => build(pen(b), x, b) });

const sigmoid = (p: Pen, x: string): string => p.op('Sigmoid', x);
const tanhGate = (p: Pen, x: string): string => {
  const cube = p.op('Mul', p.op('Mul', x, x), x);
  const inner = p.mul(p.op('Add', x, p.mul(cube, 0.044715)), Math.sqrt(2 / Math.PI));
  return p.add(p.op('Tanh', inner), 1);
};

/** Functions that work element by element. */
const activations: Record<string, readonly Spelling[]> = {
  ReLU: [
    spell('Relu', (p, x) => p.op('Relu', x)),
    spell('Relu at opset 9', (p, x) => p.op('Relu', x), 9),
    spell('max(x, 0)', (p, x) => p.op('Max', x, p.c(0))),
    spell('max(0, x)', (p, x) => p.op('Max', p.c(0), x)),
  ],
  ReLU6: [
    spell('Clip', (p, x) => p.clip(x, 0, 0.6)),
    spell('Clip at opset 10', (p, x) => p.clip(x, 0, 0.6), 10),
    spell('min(max(x, 0), 6)', (p, x) => p.op('Min', p.op('Max', x, p.c(0)), p.c(0.6))),
    spell('max(min(x, 6), 0)', (p, x) => p.op('Max', p.op('Min', x, p.c(0.6)), p.c(0))),
    spell('min(relu(x), 6)', (p, x) => p.op('Min', p.op('Relu', x), p.c(0.6))),
    spell(
      'min(max(x, 0), 6) at opset 9',
      (p, x) => p.op('Min', p.op('Max', x, p.c(0)), p.c(0.6)),
      9,
    ),
  ],
  LeakyReLU: [
    spell('LeakyRelu', (_, x, b) => b.add('LeakyRelu', [x], { alpha: 0.1 })),
    spell('PRelu', (p, x) => p.op('PRelu', x, p.c(0.1, [1, 1, 1]))),
    spell('max(x, a x)', (p, x) => p.op('Max', x, p.mul(x, 0.1))),
    spell('relu(x) - a relu(-x)', (p, x) =>
      p.op('Sub', p.op('Relu', x), p.mul(p.op('Relu', p.op('Neg', x)), 0.1)),
    ),
    spell('where(x > 0, x, a x)', (p, x) =>
      p.op('Where', p.op('Greater', x, p.c(0)), x, p.mul(x, 0.1)),
    ),
  ],
  HardSigmoid: [
    spell('HardSigmoid', (_, x, b) => b.add('HardSigmoid', [x], { alpha: 1 / 6, beta: 0.5 })),
    spell('clip(x + 3, 0, 6) / 6', (p, x) => p.op('Div', p.clip(p.add(x, 3), 0, 6), p.c(6))),
    spell('clip(x / 6 + 1/2, 0, 1)', (p, x) => p.clip(p.add(p.mul(x, 1 / 6), 0.5), 0, 1)),
    spell('min(max(x + 3, 0), 6) / 6', (p, x) =>
      p.mul(p.op('Min', p.op('Max', p.add(x, 3), p.c(0)), p.c(6)), 1 / 6),
    ),
  ],
  HardSwish: [
    spell('HardSwish', (p, x) => p.op('HardSwish', x)),
    spell('x HardSigmoid(x)', (p, x, b) =>
      p.op('Mul', x, b.add('HardSigmoid', [x], { alpha: 1 / 6, beta: 0.5 })),
    ),
    spell('x clip(x + 3, 0, 6) / 6', (p, x) =>
      p.op('Div', p.op('Mul', x, p.clip(p.add(x, 3), 0, 6)), p.c(6)),
    ),
    spell('(clip(x + 3, 0, 6) / 6) x', (p, x) =>
      p.op('Mul', p.mul(p.clip(p.add(x, 3), 0, 6), 1 / 6), x),
    ),
    spell('x min(relu(x + 3), 6) / 6', (p, x) =>
      p.op('Mul', x, p.mul(p.op('Min', p.op('Relu', p.add(x, 3)), p.c(6)), 1 / 6)),
    ),
    spell('at opset 9', (p, x) => p.mul(p.op('Mul', x, p.clip(p.add(x, 3), 0, 6)), 1 / 6), 9),
  ],
  SiLU: [
    spell('QuickGelu', (_, x, b) =>
      b.add('QuickGelu', [x], { alpha: { type: 'float', value: 1 } }, undefined, {
        domain: 'com.microsoft',
      }),
    ),
    spell('x sigmoid(x)', (p, x) => p.op('Mul', x, sigmoid(p, x))),
    spell('sigmoid(x) x at opset 9', (p, x) => p.op('Mul', sigmoid(p, x), x), 9),
    spell('x / (1 + exp(-x))', (p, x) => p.op('Div', x, p.add(p.op('Exp', p.op('Neg', x)), 1))),
    spell('x (1 / (1 + exp(-x)))', (p, x) =>
      p.op('Mul', x, p.op('Reciprocal', p.add(p.op('Exp', p.op('Neg', x)), 1))),
    ),
  ],
  GELU: [
    spell('Gelu of Microsoft', (_, x, b) =>
      b.add('Gelu', [x], {}, undefined, { domain: 'com.microsoft' }),
    ),
    spell('Gelu', (p, x) => p.op('Gelu', x), 20),
    spell('x (1 + erf(x / √2)) / 2', (p, x) =>
      p.mul(p.op('Mul', x, p.add(p.op('Erf', p.op('Div', x, p.c(Math.SQRT2))), 1)), 0.5),
    ),
    spell('(x / 2) (erf(x √½) + 1)', (p, x) =>
      p.op('Mul', p.mul(x, 0.5), p.add(p.op('Erf', p.mul(x, Math.SQRT1_2)), 1)),
    ),
    spell('x (0.5 erf(x √½) + 0.5)', (p, x) =>
      p.op('Mul', x, p.add(p.mul(p.op('Erf', p.mul(x, Math.SQRT1_2)), 0.5), 0.5)),
    ),
  ],
  'GELU by tanh': [
    spell('Gelu', (_, x, b) => b.add('Gelu', [x], { approximate: 'tanh' }), 20),
    spell('FastGelu', (_, x, b) =>
      b.add('FastGelu', [x], {}, undefined, { domain: 'com.microsoft' }),
    ),
    spell('(x / 2) (1 + tanh(…))', (p, x) => p.op('Mul', p.mul(x, 0.5), tanhGate(p, x))),
    spell('x (1 + tanh(…)) / 2', (p, x) => p.mul(p.op('Mul', x, tanhGate(p, x)), 0.5)),
  ],
  Mish: [
    spell('Mish', (p, x) => p.op('Mish', x), 18),
    spell('x tanh(softplus(x))', (p, x) => p.op('Mul', x, p.op('Tanh', p.op('Softplus', x)))),
    spell('x tanh(log(1 + exp(x)))', (p, x) =>
      p.op('Mul', x, p.op('Tanh', p.op('Log', p.add(p.op('Exp', x), 1)))),
    ),
  ],
  Softplus: [
    spell('Softplus', (p, x) => p.op('Softplus', x)),
    spell('log(1 + exp(x))', (p, x) => p.op('Log', p.add(p.op('Exp', x), 1))),
  ],
  'squeeze and excitation': [
    spell('HardSigmoid', (p, x, b) =>
      p.op(
        'Mul',
        x,
        b.add('HardSigmoid', [p.op('GlobalAveragePool', x)], { alpha: 1 / 6, beta: 0.5 }),
      ),
    ),
    spell('clip(z + 3, 0, 6) / 6', (p, x) =>
      p.op('Mul', x, p.op('Div', p.clip(p.add(p.op('GlobalAveragePool', x), 3), 0, 6), p.c(6))),
    ),
    spell('(x clip(z + 3, 0, 6)) / 6', (p, x) =>
      p.op('Div', p.op('Mul', x, p.clip(p.add(p.op('GlobalAveragePool', x), 3), 0, 6)), p.c(6)),
    ),
    spell('ReduceMean', (p, x, b) => {
      const pooled = b.add('ReduceMean', [x], { axes: [2, 3], keepdims: 1 });
      return p.op('Mul', p.mul(p.clip(p.add(pooled, 3), 0, 6), 1 / 6), x);
    }),
  ],
};

const weights = (b: GraphBuilder, seed: number, inputs = channels): string =>
  b.constant(
    numbers(channels * inputs * 9, seed).map((value) => value / 2),
    [channels, inputs, 3, 3],
  );
const conv = (b: GraphBuilder, x: string, seed: number, pads = [1, 1, 1, 1], bias = ''): string =>
  b.add('Conv', [x, weights(b, seed), ...(bias === '' ? [] : [bias])], {
    kernel_shape: [3, 3],
    pads,
  });
const map = [channels, 1, 1];

/** (x - mean) / sqrt(variance + ε) over some axes, in pieces. */
function standardized(p: Pen, b: GraphBuilder, x: string, axes: readonly number[]): string {
  const mean = (value: string): string => b.add('ReduceMean', [value], { axes, keepdims: 1 });
  const centered = p.op('Sub', x, mean(x));
  const variance = mean(p.op('Pow', centered, p.c(2)));
  return p.op('Div', centered, p.op('Sqrt', p.add(variance, 1e-5)));
}

/** Layers, with what exporters put into nodes of their own. */
const layers: Record<string, readonly Spelling[]> = {
  'bias of a convolution': [
    spell('Conv', (p, x, b) => conv(b, x, 5, undefined, p.vector(6))),
    spell('Add [C, 1, 1]', (p, x, b) => p.op('Add', conv(b, x, 5), p.vector(6, map))),
    spell('Add [1, C, 1, 1]', (p, x, b) => p.op('Add', p.vector(6, [1, ...map]), conv(b, x, 5))),
  ],
  'padding of a convolution': [
    spell('Conv', (_, x, b) => conv(b, x, 5)),
    spell('Pad', (p, x, b) =>
      conv(b, p.op('Pad', x, p.ints(0, 0, 1, 1, 0, 0, 1, 1)), 5, [0, 0, 0, 0]),
    ),
    spell(
      'Pad at opset 9',
      (_, x, b) => conv(b, b.add('Pad', [x], { pads: [0, 0, 1, 1, 0, 0, 1, 1] }), 5, [0, 0, 0, 0]),
      9,
    ),
    spell('SAME_UPPER', (_, x, b) =>
      b.add('Conv', [x, weights(b, 5)], { kernel_shape: [3, 3], auto_pad: 'SAME_UPPER' }),
    ),
  ],
  'batch normalization': [
    spell('BatchNormalization', (p, x, b) => {
      const zeros = b.constant(new Float32Array(channels), [channels]);
      const ones = b.constant(new Float32Array(channels).fill(1), [channels]);
      return b.add('BatchNormalization', [conv(b, x, 5), p.vector(6), p.vector(7), zeros, ones], {
        epsilon: 1e-12,
      });
    }),
    spell('Mul and Add', (p, x, b) =>
      p.op('Add', p.op('Mul', conv(b, x, 5), p.vector(6, map)), p.vector(7, map)),
    ),
    spell('Mul and Sub of [1, C, 1, 1]', (p, x, b) => {
      const shift = b.constant(
        numbers(channels, 7).map((value) => -value),
        [1, ...map],
      );
      return p.op('Sub', p.op('Mul', p.vector(6, [1, ...map]), conv(b, x, 5)), shift);
    }),
  ],
  'instance normalization': [
    spell('InstanceNormalization', (p, x, b) =>
      b.add('InstanceNormalization', [x, p.vector(6), p.vector(7)], { epsilon: 1e-5 }),
    ),
    spell('in pieces', (p, x, b) =>
      p.op('Add', p.op('Mul', standardized(p, b, x, [2, 3]), p.vector(6, map)), p.vector(7, map)),
    ),
    spell(
      'GroupNormalization',
      (p, x, b) =>
        b.add('GroupNormalization', [x, p.vector(6), p.vector(7)], {
          epsilon: 1e-5,
          num_groups: channels,
        }),
      21,
    ),
  ],
  'group normalization': [
    spell(
      'GroupNormalization',
      (p, x, b) =>
        b.add('GroupNormalization', [x, p.vector(6), p.vector(7)], {
          epsilon: 1e-5,
          num_groups: 2,
        }),
      21,
    ),
    spell('Reshape and InstanceNormalization', (p, x, b) => {
      const ones = b.constant(Float32Array.of(1, 1), [2]);
      const zeros = b.constant(Float32Array.of(0, 0), [2]);
      const groups = p.op('Reshape', x, p.ints(0, 2, -1));
      const normalized = b.add('InstanceNormalization', [groups, ones, zeros], { epsilon: 1e-5 });
      const maps = p.op('Reshape', normalized, p.ints(0, channels, 8, 8));
      return p.op('Add', p.op('Mul', maps, p.vector(6, map)), p.vector(7, map));
    }),
    spell('in pieces', (p, x, b) => {
      const groups = p.op('Reshape', x, p.ints(0, 2, 2, 64));
      const maps = p.op('Reshape', standardized(p, b, groups, [2, 3]), p.ints(0, channels, 8, 8));
      return p.op('Add', p.op('Mul', maps, p.vector(6, map)), p.vector(7, map));
    }),
  ],
  'layer normalization': [
    spell('LayerNormalization', (p, x, b) => {
      const tokens = b.add('Transpose', [x], { perm: [0, 2, 3, 1] });
      const y = b.add('LayerNormalization', [tokens, p.vector(6), p.vector(7)], { epsilon: 1e-5 });
      return b.add('Transpose', [y], { perm: [0, 3, 1, 2] });
    }),
    spell('in pieces', (p, x, b) => {
      const tokens = b.add('Transpose', [x], { perm: [0, 2, 3, 1] });
      const scaled = p.op('Mul', standardized(p, b, tokens, [-1]), p.vector(6));
      return b.add('Transpose', [p.op('Add', scaled, p.vector(7))], { perm: [0, 3, 1, 2] });
    }),
  ],
  'max pooling with padding': [
    spell('pads', (p, x, b) =>
      b.add('MaxPool', [p.op('Relu', x)], {
        kernel_shape: [3, 3],
        strides: [2, 2],
        pads: [1, 1, 1, 1],
      }),
    ),
    spell(
      'pads at opset 12',
      (p, x, b) =>
        b.add('MaxPool', [p.op('Relu', x)], {
          kernel_shape: [3, 3],
          strides: [2, 2],
          pads: [1, 1, 1, 1],
        }),
      12,
    ),
    spell('Pad', (p, x, b) =>
      b.add('MaxPool', [p.op('Pad', p.op('Relu', x), p.ints(0, 0, 1, 1, 0, 0, 1, 1))], {
        kernel_shape: [3, 3],
        strides: [2, 2],
      }),
    ),
  ],
  quantization: [
    spell('Relu', (p, x) => p.op('Relu', x)),
    spell('QuantizeLinear', (p, x, b) => {
      const zero = b.constant(Uint8Array.of(0), []);
      return p.op('DequantizeLinear', p.op('QuantizeLinear', x, p.c(0.02), zero), p.c(0.02), zero);
    }),
  ],
};

/** Heads on a map [n, 4, h, w]. */
const classes = 5;
const dense = (b: GraphBuilder): string =>
  b.constant(numbers(channels * classes, 8), [channels, classes]);
const bias = (b: GraphBuilder, shape = [classes]): string => b.constant(numbers(classes, 9), shape);
const heads: Record<string, readonly Spelling[]> = {
  head: [
    spell('Gemm', (p, x, b) =>
      b.add('Gemm', [b.add('Flatten', [p.op('GlobalAveragePool', x)]), dense(b), bias(b)]),
    ),
    spell('MatMul and Add', (p, x, b) =>
      p.op(
        'Add',
        p.op('MatMul', b.add('Flatten', [p.op('GlobalAveragePool', x)]), dense(b)),
        bias(b),
      ),
    ),
    spell('ReduceMean without its axes', (p, x, b) => {
      const mean = b.add('ReduceMean', [x], { axes: [2, 3], keepdims: 0 });
      return p.op('Add', bias(b, [1, classes]), p.op('MatMul', mean, dense(b)));
    }),
    spell('Reshape', (p, x, b) => {
      const flat = p.op('Reshape', p.op('GlobalAveragePool', x), p.ints(-1, channels));
      return b.add('Gemm', [flat, dense(b), bias(b)]);
    }),
    spell('a convolution of 1 × 1', (p, x, b) => {
      const pooled = p.op('GlobalAveragePool', x);
      const w = b.constant(
        Float32Array.from({ length: channels * classes }, (_, i) => {
          const [row, column] = [Math.floor(i / channels), i % channels];
          return numbers(channels * classes, 8)[column * classes + row] ?? 0;
        }),
        [classes, channels, 1, 1],
      );
      return b.add('Flatten', [b.add('Conv', [pooled, w, bias(b)], { kernel_shape: [1, 1] })]);
    }),
  ],
};

/** conv → the function → conv → ReLU → head, of a picture [n, 3, 8, 8]. */
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

describe.each(groups)('%s is explained the same in any spelling', (group, [first, ...others]) => {
  it.each(ruleSets)('%s', async (_, rules, tolerance) => {
    const where = group === 'head' ? 'head' : 'inside';
    if (first === undefined) throw new Error('no spelling');
    const [input] = [{ x: randomTensor([2, 3, 8, 8], 11) }];
    const model = network(first, where);
    const [wanted, y] = [await explained(model, rules), (await runModel(model, input)).y?.data];
    expect(wanted.some((value) => Math.abs(value) > 1e-6)).toBe(true);
    for (const other of others) {
      const same = network(other, where);
      // The functions are the same, but for the rounding of a quantizer.
      const isClose = group === 'quantization' ? 0.05 : 1e-5;
      const got = (await runModel(same, input)).y?.data as Float32Array;
      expect(relativeError(got, y as Float32Array), other.name).toBeLessThan(isClose);
      const error = relativeError(await explained(same, rules), wanted);
      expect(error, other.name).toBeLessThan(group === 'quantization' ? 0.15 : tolerance);
    }
  });
});
