import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import type { Model } from '../model/model.ts';
import { createOnnxModel } from '../model/onnx-model.ts';
import { graphBuilder, modelOf, writeModel } from '../onnx/index.ts';
import { createNodeRuntime } from '../runtime/onnxruntime-node.ts';
import { sum } from '../tensor/statistics.ts';
import { convNet, HEIGHT, normal, picture, WIDTH } from './fixtures/nets.ts';
import { demoVit, noisePictures, smallNetwork } from './fixtures/vit.ts';
import { methods } from './index.ts';
import { gradientsOf } from './shared/gradients.ts';

const explained = (model: Model, method: string, options = {}) =>
  explain(model, picture, { method: methods.get(method), target: 1, options });

import {
  denseNet,
  densePicture,
  densePixels,
  denseSums,
  denseWeights,
  headWeights,
} from './fixtures/dense-net.ts';

/** A literal copy of R_i = Σ_j c(x_i, w_ij) / Σ_k c(x_k, w_kj) R_j. */
function propagate(
  x: number[],
  w: number[][],
  r: number[],
  b: number[],
  part: (product: number) => number,
): number[] {
  const z = r.map((_, j) =>
    x.reduce((total, value, i) => total + part(value * w[i][j]), part(b[j])),
  );
  return x.map((value, i) =>
    r.reduce((total, rj, j) => total + (z[j] === 0 ? 0 : (part(value * w[i][j]) / z[j]) * rj), 0),
  );
}

describe('lrp', () => {
  const biases = [0.25, -0.5, 0.1];
  const hidden = denseSums(biases).map((z) => Math.max(0, z));
  const logits = [0, 1].map((c) =>
    hidden.reduce((total, value, j) => total + value * headWeights[j][c], 0),
  );

  it.each([
    ['epsilon', (p: number) => p],
    ['gamma', (p: number) => p + 0.25 * Math.max(0, p)],
    ['alpha-beta', (p: number) => Math.max(0, p)],
  ])('%s equals its literal sums for two dense layers', async (composite, part) => {
    const model = await denseNet(biases);
    for (const target of [0, 1]) {
      const start = [0, 1].map((c) => (c === target ? logits[c] : 0));
      // The gamma rule counts negative products more if the logit is negative.
      const own =
        composite === 'gamma' && logits[target] < 0
          ? (p: number) => p + 0.25 * Math.min(0, p)
          : part;
      const middle = propagate(hidden, headWeights, start, [0, 0], own);
      const expected = propagate(densePixels, denseWeights, middle, biases, part);
      const options = { composite, alpha: 1, epsilon: 1e-9 };
      const { map } = await explain(model, densePicture, {
        method: methods.get('lrp'),
        target,
        options,
      });
      expect(map.data).toBeAllClose(expected, { atol: 5e-4 });
    }
  });

  it('conserves the score with every composite in a network without biases', async () => {
    const model = await convNet('linear');
    const { scores } = await gradientsOf(model, { batch: picture, wrt: [], targets: [1] });
    const [score] = scores.data;
    for (const composite of [
      'epsilon',
      'epsilon-plus',
      'epsilon-plus-flat',
      'epsilon-gamma-box',
      'epsilon-alpha-beta',
      'gamma',
      'alpha-beta',
    ]) {
      const { map } = await explained(model, 'lrp', { composite, epsilon: 1e-9 });
      expect(Math.abs(sum(map.data) / score - 1), composite).toBeLessThan(2e-2);
    }
  });

  it('equals gradient times input with epsilon for all layers of a ReLU network', async () => {
    for (const model of [
      await convNet('linear'),
      await smallNetwork('densenet'),
      await smallNetwork('shufflenet'),
    ]) {
      const input = model.name === 'conv-linear' ? picture : noisePictures(1, 32);
      const [{ map: relevance }, { map: product }] = await Promise.all([
        explain(model, input, {
          method: 'lrp',
          target: 1,
          options: { composite: 'epsilon', epsilon: 1e-12 },
        }),
        explain(model, input, { method: 'gradient-x-input', target: 1 }),
      ]);
      expect(relevance.data, model.name).toBeAllClose(product.data, { l2: 2e-2 });
    }
  });

  it('refuses the box rule if the first convolution does not read the picture itself', async () => {
    const load = async (
      name: string,
      between: (b: ReturnType<typeof graphBuilder>, x: string) => string,
      isConvolution = true,
    ) => {
      const b = graphBuilder({ opset: 13 });
      const x = between(b, b.input('picture', 'float32', ['n', 3, HEIGHT, WIDTH]));
      const layer = isConvolution
        ? b.add(
            'Conv',
            [x, b.constant(kernel.data, kernel.shape)],
            { kernel_shape: [3, 3] },
            'first',
          )
        : x;
      const pooled = b.add('Flatten', [b.add('GlobalAveragePool', [b.add('Relu', [layer])])]);
      const weights = isConvolution ? headOf4 : headOf3;
      b.output(b.add('Gemm', [pooled, b.constant(weights.data, weights.shape)]), 'float32', [
        'n',
        2,
      ]);
      const preprocessing = { ...IMAGENET_PREPROCESSING, size: [HEIGHT, WIDTH] as const };
      return createOnnxModel(
        { name, bytes: writeModel(modelOf(b.finish())), preprocessing },
        await createNodeRuntime({ threads: 1 }),
      );
    };
    const [kernel, headOf4, headOf3] = [normal(4, 3, 3, 3), normal(4, 2), normal(3, 2)];
    const box = { composite: 'epsilon-gamma-box' };
    const moved = await load('moved', (b, x) =>
      b.add('Pad', [x, b.constant(new BigInt64Array([0, 0, 1, 1, 0, 0, 1, 1].map(BigInt)), [8])]),
    );
    expect((await explained(moved, 'lrp', box)).map.shape).toEqual([HEIGHT, WIDTH]);
    const scaled = await load('scaled', (b, x) =>
      b.add('Sub', [x, b.constant([1, 2, 3], [1, 3, 1, 1])]),
    );
    await expect(explained(scaled, 'lrp', box)).rejects.toThrow(
      /the box rule needs .* the first convolution, first, reads the output of Sub: choose/,
    );
    expect((await explained(scaled, 'lrp', { composite: 'epsilon-plus-flat' })).map.shape).toEqual([
      HEIGHT,
      WIDTH,
    ]);
    const dense = await load('dense', (_, x) => x, false);
    await expect(explained(dense, 'lrp', box)).rejects.toThrow(/this network has no convolution/);
  });

  it('has bounded relevance in a transformer', async () => {
    const { map } = await explain(await demoVit(), noisePictures(1, 224), { method: 'lrp' });
    expect(Math.max(...map.data.map(Math.abs))).toBeLessThan(10);
  });
});
