import { describe, expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { IMAGENET_PREPROCESSING } from '../../model/input/preprocessing.ts';
import type { Model } from '../../model/model.ts';
import { createOnnxModel } from '../../model/onnx-model.ts';
import { graphBuilder, modelOf, writeModel } from '../../onnx/index.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { createRandom } from '../../tensor/random.ts';
import { extent } from '../../tensor/statistics.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { methods } from '../index.ts';
import { inputScale, scaledArea, scaledLength } from './scale.ts';

const preprocessing = (height: number, width: number) => ({
  ...IMAGENET_PREPROCESSING,
  size: [height, width] as const,
});

/**
 * A model with logit 0 = the mean of the bright pixels of `picture` over all channels, and logit 1
 * = 0.
 */
async function brightness(picture: Tensor): Promise<Model> {
  const [, channels = 0, height = 0, width = 0] = picture.shape;
  const size = picture.data.length;
  const bright = picture.data.reduce((count, value) => count + (value > 1 ? 1 : 0), 0);
  const b = graphBuilder({ opset: 13 });
  const x = b.input('picture', 'float32', ['n', channels, height, width]);
  const w = new Float32Array(2 * size);
  picture.data.forEach((value, i) => (w[2 * i] = value > 1 ? 1 / bright : 0));
  const scores = b.add('Gemm', [b.add('Flatten', [x]), b.constant(w, [size, 2])]);
  b.output(scores, 'float32', ['n', 2]);
  const bytes = writeModel(modelOf(b.finish()));
  const labels = ['bright', 'other'];
  const request = { name: 'filter', bytes, labels, preprocessing: preprocessing(height, width) };
  return createOnnxModel(request, await createNodeRuntime({ threads: 1 }));
}

const random = createRandom(3);

/**
 * A bright, noisy 7 on a dark background, in the normalized units of the input, [1, 3, side, side].
 */
function seven(side: number): Tensor {
  const isInk = (y: number, x: number) => {
    const [v, u] = [y / side, x / side];
    if (u < 0.2 || u > 0.8) return false;
    if (v > 0.15 && v < 0.28) return true;
    return v >= 0.28 && v < 0.9 && Math.abs(u - (0.8 - 0.5 * (v - 0.2))) < 0.08;
  };
  const area = side * side;
  const data = Float32Array.from({ length: 3 * area }, (_, i) => {
    const ink = isInk(Math.floor((i % area) / side), i % side);
    return (ink ? 1.5 : -1.5) + 0.4 * (random.uniform() - 0.5);
  });
  return tensor([1, 3, side, side], data);
}

/** A picture of pixels of random colors. */
function noise(side: number): Tensor {
  const size = 3 * side * side;
  const data = Float32Array.from({ length: size }, () => 4 * random.uniform() - 2);
  return tensor([1, 3, side, side], data);
}

const BY_DEFAULT: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['occlusion', {}],
  ['lime', {}],
  ['lime', { segmentation: 'felzenszwalb' }],
  ['xrai', { steps: 5 }],
  ['iassa', { calls: 200 }],
  ['iassa-2020', { iterations: 2 }],
  ['rise', { N: 400 }],
  ['oise', { N: 400, chains: 40 }],
  ['sobol', { design: 8 }],
];

/** SLIC merges the pixels of noise into one part at any size. */
const WITH_SLIC: typeof BY_DEFAULT = [
  ...BY_DEFAULT,
  ['lime', { segmentation: 'slic' }],
  ['kernel-shap', {}],
];

describe.each([
  ['a 7 of 28×28 pixels', seven(28), WITH_SLIC],
  ['a 7 of 32×32 pixels', seven(32), WITH_SLIC],
  ['noise of 32×32 pixels', noise(32), BY_DEFAULT],
] as const)('the defaults on %s', (_, picture, cases) => {
  const model = brightness(picture);
  it.each(cases)('%s %j gives a map that is not constant', async (name, options) => {
    const { map, manifest } = await explain(await model, picture, {
      method: methods.get(name),
      options,
      target: 0,
    });
    const [min, max] = extent(map.data);
    expect(max - min).toBeGreaterThan(1e-9);
    expect(manifest.warnings.join()).not.toMatch(/same value everywhere/);
    const { segments } = manifest.extras;
    if (segments !== undefined) expect(segments).toBeGreaterThan(5);
  });
});

describe('scales', () => {
  it('are in proportion to the shorter side below 224 pixels, and 1 for larger inputs', () => {
    expect(inputScale(224, 224)).toBe(1);
    expect(inputScale(384, 300)).toBe(1);
    expect(inputScale(1024, 112)).toBe(0.5);
    expect([28, 32, 112, 224, 384].map((side) => scaledLength(32, side, side))).toEqual([
      4, 5, 16, 32, 32,
    ]);
    expect(scaledLength(8, 10, 10)).toBe(1);
    expect([28, 112, 224].map((side) => scaledArea(200, side, side))).toEqual([3, 50, 200]);
  });
});

describe('a map that has one value everywhere', () => {
  const picture = seven(28);

  it('has a warning with advice', async () => {
    const model = await brightness(picture);
    const { map, manifest } = await explain(model, picture, {
      method: methods.get('occlusion'),
      options: { window: 28, stride: 28 },
      target: 0,
    });
    expect(extent(map.data)[0]).toBe(extent(map.data)[1]);
    expect(manifest.warnings.at(-1)).toMatch(
      /^the map of occlusion has the same value everywhere.*: try .* another method$/,
    );
  });
});
