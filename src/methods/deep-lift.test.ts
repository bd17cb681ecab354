import { describe, expect, it } from 'vitest';
import { deepLift } from '../autodiff/index.ts';
import { explain } from '../explain.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { INPUT, type Model } from '../model/model.ts';
import { createOnnxModel } from '../model/onnx-model.ts';
import { graphBuilder, modelOf, writeModel } from '../onnx/index.ts';
import { createNodeRuntime } from '../runtime/onnxruntime-node.ts';
import { sum } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import {
  denseNet,
  densePicture,
  densePixels,
  denseSums,
  denseWeights,
  headWeights,
} from './fixtures/dense-net.ts';
import { convNet, HEIGHT, normal, picture, WIDTH } from './fixtures/nets.ts';
import { describePixelReference } from './fixtures/reference.ts';
import { noisePictures, smallNetwork } from './fixtures/vit.ts';
import { methods } from './index.ts';

describe('deep-lift', () => {
  // Shrikumar et al. 2017, section 3.5: m = Δh / Δz through the ReLU, weights through the layers.
  it('equals the closed form of the multipliers for two dense layers', async () => {
    const biases = [0.25, -0.5, 0.1];
    const model = await denseNet(biases);
    for (const target of [0, 1]) {
      const multipliers = denseSums(biases).map(
        (z, j) => (Math.max(0, z) - Math.max(0, biases[j])) / (z - biases[j]),
      );
      const { map } = await explain(model, densePicture, {
        method: 'deep-lift',
        target,
        options: { baseline: 'zero' },
      });
      const expected = densePixels.map(
        (x, i) =>
          x * sum(multipliers.map((m, j) => denseWeights[i][j] * m * headWeights[j][target])),
      );
      expect(map).toBeAllClose(expected);
    }
  });

  it('adds up to the difference of the scores in networks of all kinds', async () => {
    const models = [
      await convNet('tanh'),
      await convNet('tanh', 'Softplus'),
      await smallNetwork('mobilenet-v2'),
      await smallNetwork('vit'),
      await smallNetwork('swin'),
    ];
    for (const model of models) {
      const input =
        model.preprocessing.size[0] === HEIGHT && model.preprocessing.size[1] === WIDTH
          ? picture
          : noisePictures(1, 32);
      for (const output of ['logit', 'probability']) {
        const { manifest, map } = await explain(model, input, {
          method: methods.get('deep-lift'),
          target: 1,
          options: { output, baseline: 'white' },
        });
        const {
          score,
          baselineScore,
          sum: total,
          completenessDelta,
        } = manifest.extras as Record<string, number>;
        expect(
          Math.abs(completenessDelta) / Math.max(1e-3, Math.abs(score - baselineScore)),
          `${model.name} ${output}`,
        ).toBeLessThan(1e-3);
        expect(sum(map.data)).toBeCloseTo(total, 4);
      }
    }
  }, 120_000);

  type Build = (b: ReturnType<typeof graphBuilder>, x: string) => string;
  /**
   * A network with one layer over pictures [n, 3, 8, 8] and a linear head over its `size` values.
   */
  async function layerNet(size: number, build: Build): Promise<Model> {
    const b = graphBuilder({ opset: 13 });
    const layer = build(b, b.input('picture', 'float32', ['n', 3, 8, 8]));
    b.output(
      b.add('Gemm', [b.add('Flatten', [layer]), b.constant(normal(size, 3).data, [size, 3])]),
      'float32',
      ['n', 3],
    );
    const preprocessing = { ...IMAGENET_PREPROCESSING, size: [8, 8] as const };
    return createOnnxModel(
      { name: 'layer', bytes: writeModel(modelOf(b.finish())), preprocessing },
      await createNodeRuntime({ threads: 1 }),
    );
  }
  const small = tensor([1, 3, 8, 8], normal(3, 8, 8).data);

  const constant = (b: ReturnType<typeof graphBuilder>, value: number): string =>
    b.constant(Float32Array.of(value), []);
  it.each<[string, number, Build]>([
    [
      'MaxPool',
      48,
      (b, x) =>
        b.add('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
    ],
    ['GlobalMaxPool', 3, (b, x) => b.add('GlobalMaxPool', [x])],
    ['ReduceMax', 3, (b, x) => b.add('ReduceMax', [x], { axes: [2, 3] })],
    [
      'a generalized mean of small values',
      3,
      (b, x) => {
        const cubes = b.add('Pow', [
          b.add('Add', [b.add('Abs', [b.add('Mul', [x, constant(b, 0.01)])]), constant(b, 1e-6)]),
          constant(b, 3),
        ]);
        return b.add('Pow', [b.add('GlobalAveragePool', [cubes]), constant(b, 1 / 3)]);
      },
    ],
    [
      'the larger of two signals',
      192,
      (b, x) => b.add('Max', [x, b.add('Mul', [x, constant(b, -2)])]),
    ],
    [
      'a choice between two signals',
      192,
      (b, x) => {
        const isLarge = b.add('Greater', [x, constant(b, 0.1)]);
        return b.add('Where', [isLarge, x, b.add('Mul', [x, constant(b, -2)])]);
      },
    ],
  ])('adds up to the difference of the scores through %s', async (_, size, build) => {
    const model = await layerNet(size, build);
    for (const baseline of ['black', 'blur', 'mean']) {
      const { score, baselineScore, completenessDelta } = (
        await explain(model, small, {
          method: methods.get('deep-lift'),
          target: 1,
          options: { baseline },
        })
      ).manifest.extras as Record<string, number>;
      expect(Math.abs(completenessDelta), baseline).toBeLessThan(
        1e-4 * Math.max(Math.abs(score), Math.abs(baselineScore)),
      );
    }
  });

  it('warns if the map does not add up', async () => {
    const model = await layerNet(192, (b, x) => b.add('LpNormalization', [x], { axis: 1, p: 2 }));
    const { manifest } = await explain(model, small, { method: 'deep-lift', target: 1 });
    expect(manifest.warnings).toContainEqual(
      expect.stringMatching(
        /^deep-lift: the map adds up to .* instead of the difference of the scores/,
      ),
    );
    const exact = await explain(await layerNet(3, (b, x) => b.add('GlobalMaxPool', [x])), small, {
      method: 'deep-lift',
      target: 1,
    });
    expect(exact.manifest.warnings.join()).not.toContain('adds up');
  });

  it('refuses a reference of another shape', async () => {
    const model = await convNet('linear');
    await expect(
      model.inside?.gradients({ batch: picture, wrt: [INPUT], targets: [0], rules: deepLift }),
    ).rejects.toThrow(/compares with a reference \[1,3,24,32\], given none/);
  });
});
// Squeezenet is left out: captum's multipliers of its max pools are wrong, so its recorded maps are
// too.
describePixelReference('deep-lift', 'deeplift', () => ({}), 1e-3, 1, ['mobilenet_v2']);
