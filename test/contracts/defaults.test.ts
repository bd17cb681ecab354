import { describe, expect, it } from 'vitest';
import { explain } from '../../src/explain.ts';
import { methods } from '../../src/methods/index.ts';
import { IMAGENET_PREPROCESSING } from '../../src/model/input/preprocessing.ts';
import type { Model } from '../../src/model/model.ts';
import { createOnnxModel } from '../../src/model/onnx-model.ts';
import { type GraphBuilder, graphBuilder, modelOf, writeModel } from '../../src/onnx/index.ts';
import { createNodeRuntime } from '../../src/runtime/onnxruntime-node.ts';
import { createRandom } from '../../src/tensor/random.ts';
import { extent } from '../../src/tensor/statistics.ts';
import { sizeOf, type Tensor, tensor } from '../../src/tensor/tensor.ts';

const CLASSES = 4;

interface Sizes {
  readonly channels: number;
  readonly side: number;
  /** Of the features in the logit of class 0; 0 for a model that ignores the picture. */
  readonly weight: number;
}

/** Seeded weights; `scale` is their standard deviation. */
function weights(b: GraphBuilder, seed: number, scale: number, ...shape: number[]): string {
  const random = createRandom(seed);
  const values = Float32Array.from({ length: sizeOf(shape) }, () => scale * random.normal());
  return b.constant(values, shape);
}

/** Logits of features [n, width]: more of any of them speaks for class 0, by `weight`. */
function head(b: GraphBuilder, features: string, width: number, weight: number): string {
  const values = Array.from({ length: width }, () => [weight, 0, 0, 0]).flat();
  return b.add('Gemm', [features, b.constant(values, [width, CLASSES])]);
}

/** Kernels of 3 × 3 whose sum is 0: they see contrast, and nothing in a plain picture. */
function contrast(b: GraphBuilder, count: number, channels: number): string {
  const random = createRandom(1);
  const kernels = Array.from({ length: count * channels }, () => {
    const kernel = Array.from({ length: 9 }, () => 0.4 * random.normal());
    const mean = kernel.reduce((sum, value) => sum + value, 0) / 9;
    return kernel.map((value) => value - mean);
  });
  return b.constant(kernels.flat(), [count, channels, 3, 3]);
}

/** Two convolutions, then the mean over cells and a dense layer. */
function convolutions(b: GraphBuilder, x: string, { channels, weight }: Sizes): string {
  const early = b.add('Relu', [b.add('Conv', [x, contrast(b, 8, channels)])]);
  const kernels = weights(b, 2, 0.4, 8, 8, 3, 3);
  const strided = { pads: [1, 1, 1, 1], strides: [2, 2] };
  const features = b.add('Relu', [b.add('Conv', [early, kernels, weights(b, 3, 0.1, 8)], strided)]);
  const pooled = b.add('Flatten', [b.add('GlobalAveragePool', [features])]);
  return head(b, pooled, 8, weight);
}

/** One block of attention over 4 × 4 patches, then the mean over patches and a dense layer. */
function transformer(b: GraphBuilder, x: string, { channels, side, weight }: Sizes): string {
  const patch = side / 4;
  const width = 8;
  const shape = (...sizes: number[]) => b.constant(sizes, [sizes.length], 'int64');
  const patches = b.add('Conv', [x, weights(b, 1, 0.4, width, channels, patch, patch)], {
    kernel_shape: [patch, patch],
    strides: [patch, patch],
  });
  const rows = b.add('Reshape', [patches, shape(0, width, 16)]);
  const tokens = b.add('Transpose', [rows], { perm: [0, 2, 1] });
  const heads = (seed: number, perm: number[]) => {
    const projected = b.add('MatMul', [tokens, weights(b, seed, 0.5, width, width)]);
    return b.add('Transpose', [b.add('Reshape', [projected, shape(0, 16, 2, 4)])], { perm });
  };
  const products = b.add('MatMul', [heads(2, [0, 2, 1, 3]), heads(3, [0, 2, 3, 1])]);
  const scaled = b.add('Mul', [products, b.constant([0.5], [1])]);
  const attention = b.add('Softmax', [scaled], { axis: -1 });
  const mixed = b.add('MatMul', [attention, heads(4, [0, 2, 1, 3])]);
  const joined = b.add('Reshape', [
    b.add('Transpose', [mixed], { perm: [0, 2, 1, 3] }),
    shape(0, 16, width),
  ]);
  const sum = b.add('Add', [tokens, joined]);
  const hidden = b.add('Relu', [b.add('MatMul', [sum, weights(b, 5, 0.5, width, width)])]);
  const pooled = b.add('ReduceMean', [hidden], { axes: [1], keepdims: 0 });
  return head(b, pooled, width, weight);
}

async function load(
  build: (b: GraphBuilder, x: string, sizes: Sizes) => string,
  sizes: Sizes,
): Promise<Model> {
  const { channels, side } = sizes;
  const b = graphBuilder({ opset: 13 });
  const x = b.input('x', 'float32', ['n', channels, side, side]);
  b.output(build(b, x, sizes), 'float32', ['n', CLASSES]);
  const grey = { colour: 'grey', mean: [0.5], std: [0.5] } as const;
  const preprocessing = {
    ...IMAGENET_PREPROCESSING,
    ...(channels === 1 ? grey : {}),
    size: [side, side] as const,
  };
  const labels = ['a', 'b', 'c', 'd'];
  const bytes = writeModel(modelOf(b.finish()));
  const runtime = await createNodeRuntime({ threads: 1 });
  return createOnnxModel({ name: 'small', bytes, labels, preprocessing }, runtime);
}

/** A chessboard in a corner of a plain ground, in the normalized units of the input. */
function pictureOf(channels: number, side: number): Tensor {
  const random = createRandom(7);
  const data = Float32Array.from({ length: channels * side * side }, (_, i) => {
    const [y, x] = [Math.floor((i % (side * side)) / side), i % side];
    const inside = [y, x].every((at) => at >= side / 4 && at < side / 2);
    return (inside ? 3 * (-1) ** (x + y) : 0) + 0.1 * random.normal();
  });
  return tensor([1, channels, side, side], data);
}

describe.each([
  [1, 28],
  [3, 32],
  [3, 8],
])('with its defaults on a picture of %i channels and %i pixels a side', (channels, side) => {
  const picture = pictureOf(channels, side);
  const cnn = load(convolutions, { channels, side, weight: 0.5 });
  const vit = load(transformer, { channels, side, weight: 0.5 });
  it.each([...methods].map((method) => [method.name, method] as const))(
    '%s gives a map that shows something',
    async (_name, method) => {
      const model = await (method.needs.includes('attention') ? vit : cnn);
      const { map, manifest } = await explain(model, picture, { method, target: 0 });
      expect(map.shape).toEqual([side, side]);
      const [low, high] = extent(map.data);
      expect(high - low).toBeGreaterThan(1e-9);
      expect(manifest.warnings.join()).not.toMatch(/same value|same score/);
    },
  );
});

/** Methods whose maps depend on the picture or on nothing, but not on the scores. */
const REGARDLESS = new Set(['eigen-cam', 'attention-rollout', 'random', 'centre']);

describe('on a model that ignores the picture', () => {
  const sizes = { channels: 3, side: 32, weight: 0 };
  const picture = pictureOf(3, 32);
  const cnn = load(convolutions, sizes);
  const vit = load(transformer, sizes);
  it.each([...methods].map((method) => [method.name, method] as const))(
    '%s says that its map shows nothing',
    async (name, method) => {
      const model = await (method.needs.includes('attention') ? vit : cnn);
      const said = await explain(model, picture, { method, target: 0 }).then(
        ({ manifest }) => manifest.warnings.join('\n'),
        (error: Error) => error.message,
      );
      const words = /same value everywhere|all have the same score|no (patch|part) is needed/;
      if (REGARDLESS.has(name)) expect(said).not.toMatch(words);
      else expect(said).toMatch(words);
    },
  );
});
