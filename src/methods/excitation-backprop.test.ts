import { describe, expect, it } from 'vitest';
import { lrp } from '../autodiff/index.ts';
import { explain } from '../explain.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import type { Model } from '../model/model.ts';
import { createOnnxModel } from '../model/onnx-model.ts';
import { graphBuilder, modelOf, writeModel } from '../onnx/index.ts';
import { createNodeRuntime } from '../runtime/onnxruntime-node.ts';
import { extent, sum } from '../tensor/statistics.ts';
import { CLASSES, convNet, HEIGHT, headWeights, picture, WIDTH } from './fixtures/nets.ts';
import { noisePictures, smallNetwork } from './fixtures/vit.ts';
import { methods } from './index.ts';
import { gradientsOf } from './shared/gradients.ts';

const explained = (model: Model, method: string, options = {}) =>
  explain(model, picture, { method: methods.get(method), target: 1, options });

describe('excitation-backprop', () => {
  it('distributes a probability of one over the cells', async () => {
    const { layers = [] } = await explained(await convNet('linear'), 'excitation-backprop');
    expect(sum(layers[0].map.data)).toBeCloseTo(1, 4);
    expect(Math.min(...layers[0].map.data)).toBeGreaterThanOrEqual(0);
  });

  const rules = lrp({
    first: 'excitation',
    convolution: 'excitation',
    dense: 'excitation',
    epsilon: 1e-6,
    gamma: 0,
    alpha: 1,
    low: [],
    high: [],
  });

  // Zhang et al. 2018, equation 4, through a mean over the cells and a linear head.
  it('distributes the probability by activations times positive weights', async () => {
    const model = await convNet('linear');
    const [features] = (
      await gradientsOf(model, { batch: picture, wrt: ['features'], targets: [1] })
    ).values;
    const [, channels, height, width] = features.shape;
    const products = Array.from(
      features.data,
      (a, i) => a * Math.max(0, headWeights.data[Math.floor(i / (height * width)) * CLASSES + 1]),
    );
    const map = Array.from({ length: height * width }, (_, cell) =>
      sum(Array.from({ length: channels }, (__, c) => products[c * height * width + cell])),
    );
    const { layers = [] } = await explained(model, 'excitation-backprop');
    expect(layers[0].map).toBeAllClose(map.map((value) => value / sum(products)));
  });

  it('ignores biases, both for a head with one Gemm and for a product and a sum', async () => {
    const load = async (
      head: (
        b: ReturnType<typeof graphBuilder>,
        x: string,
        weights: string,
        bias: string,
      ) => string,
    ) => {
      const b = graphBuilder({ opset: 13 });
      const features = b.add(
        'Relu',
        [b.input('picture', 'float32', ['n', 3, HEIGHT, WIDTH])],
        {},
        'features',
      );
      const pooled = b.add('Flatten', [b.add('GlobalAveragePool', [features])]);
      b.output(
        head(b, pooled, b.constant([1, -1, 2, 0.5, -1, 1], [3, 2]), b.constant([-3, 3], [2])),
        'float32',
        ['n', 2],
      );
      const preprocessing = { ...IMAGENET_PREPROCESSING, size: [HEIGHT, WIDTH] as const };
      return createOnnxModel(
        { name: 'head', bytes: writeModel(modelOf(b.finish())), preprocessing },
        await createNodeRuntime({ threads: 1 }),
      );
    };
    const gemm = await load((b, x, weights, bias) => b.add('Gemm', [x, weights, bias]));
    const product = await load((b, x, weights, bias) =>
      b.add('Add', [b.add('MatMul', [x, weights]), bias]),
    );
    for (const target of [0, 1]) {
      const [one, other] = await Promise.all(
        [gemm, product].map(async (model) => {
          const options = { layer: 'features' };
          const method = 'excitation-backprop';
          const { layers = [] } = await explain(model, picture, { method, target, options });
          return layers[0].map;
        }),
      );
      expect(sum(one.data)).toBeCloseTo(1, 4);
      expect(other).toBeAllClose(one, { atol: 5e-7 });
    }
  });

  it.each(['mobilenet-v2', 'densenet', 'shufflenet', 'vit', 'swin'] as const)(
    'propagates probabilities of at least 0 that add up to at most 1: %s',
    async (name) => {
      const model = await smallNetwork(name);
      const layers = (model.inside?.featureMaps() ?? []).map((map) => map.name);
      const { gradients } = await gradientsOf(model, {
        batch: noisePictures(1, 32),
        wrt: layers,
        targets: [1],
        rules,
      });
      gradients.forEach(({ data }) => {
        expect(extent(data)[0]).toBeGreaterThanOrEqual(0);
        expect(sum(data)).toBeLessThan(1 + 1e-4);
      });
      // Probability is lost at units that only their bias excites.
      if (name === 'mobilenet-v2' || name === 'densenet')
        expect(sum(gradients.at(-1)?.data ?? [])).toBeGreaterThan(1 - 1e-4);
    },
  );
});
