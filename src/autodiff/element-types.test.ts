import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { randomTensor, runModel } from '../onnx/fixtures/run.ts';
import { graphBuilder, modelOf, type OnnxModel } from '../onnx/index.ts';
import { gradientModel } from './complete.ts';
import { dot, relativeError } from './fixtures/cases.ts';
import { gradientOf, modelBy } from './fixtures/vector-models.ts';

describe('gradientGraph on other element types', () => {
  it('computes the gradients of half-precision models in float32', async () => {
    const b = graphBuilder({ opset: 17 });
    const x = b.input('x', 'float32', ['n', 2, 4, 4]);
    const half = b.add('Cast', [x], { to: 10 });
    const k = b.constant(
      Array.from({ length: 3 * 2 * 9 }, (_, i) => Math.round(Math.sin(i) * 16) / 16),
      [3, 2, 3, 3],
      'float16',
      'k',
    );
    const y = b.add(
      'GlobalAveragePool',
      [
        b.add('Relu', [
          b.add('Conv', [half, k], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }, 'conv'),
        ]),
      ],
      {},
      'y',
    );
    b.output(y, 'float16', ['n', 3, 1, 1]);
    const { model, cotangent, gradients } = gradientModel(modelOf(b.finish()), {
      of: 'y',
      wrt: ['x', 'conv'],
    });
    expect(model.graph.inputs.at(-1)?.type).toBe('float32');
    const results = await runModel(model, {
      x: randomTensor([1, 2, 4, 4]),
      [cotangent]: new Tensor('float32', Float32Array.from([1, 2, 3]), [1, 3, 1, 1]),
    });
    for (const name of gradients.values()) expect(results[name].type).toBe('float32');
    expect(
      dot(
        results[gradients.get('x') ?? ''].data as Float32Array,
        results[gradients.get('x') ?? ''].data as Float32Array,
      ),
    ).toBeGreaterThan(0);
  });

  /**
   * A model of [n, 3, 12, 12] with two convolutions, a MaxPool and a linear head, in half precision
   * or in float32 with the same weights.
   */
  function convolutional(type: 'float16' | 'float32'): OnnxModel {
    const b = graphBuilder({ opset: 17 });
    const weights = (count: number, seed: number): number[] =>
      Array.from({ length: count }, (_, i) => Math.round(Math.sin(i * seed) * 64) / 256);
    const constant = (shape: number[], seed: number): string =>
      b.constant(
        weights(
          shape.reduce((size, dim) => size * dim, 1),
          seed,
        ),
        shape,
        type,
      );
    const x = b.add('Cast', [b.input('x', 'float32', ['n', 3, 12, 12])], {
      to: type === 'float16' ? 10 : 1,
    });
    const conv = (from: string, channels: number, seed: number): string =>
      b.add('Conv', [from, constant([8, channels, 3, 3], seed)], {
        pads: [1, 1, 1, 1],
        kernel_shape: [3, 3],
      });
    const pooled = b.add('MaxPool', [b.add('Sigmoid', [conv(x, 3, 1.3)])], {
      kernel_shape: [2, 2],
      strides: [2, 2],
    });
    const features = b.add('Flatten', [
      b.add('GlobalAveragePool', [b.add('Tanh', [conv(pooled, 8, 0.7)])]),
    ]);
    b.output(b.add('Gemm', [features, constant([8, 4], 2.1)], {}, 'y'), type, ['n', 4]);
    return modelOf(b.finish());
  }

  async function convolutionalGradient(
    type: 'float16' | 'float32',
    scale: number,
  ): Promise<Float32Array> {
    const { model, cotangent, gradients } = gradientModel(convolutional(type), {
      of: 'y',
      wrt: ['x'],
    });
    const dy = Float32Array.from([1, -0.5, 0.25, 0, 0, 1, 0, 0.5], (value) => value * scale);
    const results = await runModel(model, {
      x: randomTensor([2, 3, 12, 12]),
      [cotangent]: new Tensor('float32', dy, [2, 4]),
    });
    return results[gradients.get('x') ?? ''].data as Float32Array;
  }

  it('returns gradients beyond the range of float16 for half-precision networks', async () => {
    const gradient = await convolutionalGradient('float16', 1);
    expect(relativeError(gradient, await convolutionalGradient('float32', 1))).toBeLessThan(5e-3);
    // Half precision has no value above 65504 or between 0 and 6e-8. In float32, a product with a
    // power of two is exact.
    for (const scale of [2 ** 40, 2 ** -40]) {
      const scaled = await convolutionalGradient('float16', scale);
      expect(Math.max(...scaled.map(Math.abs)) / scale).toBeGreaterThan(1e-3);
      expect(scaled.every((value, i) => value === gradient[i] * scale)).toBe(true);
    }
  });

  it('sums the gradients of half-precision tensors in float32', async () => {
    const b = graphBuilder({ opset: 17 });
    const [x, bias] = [
      b.add('Cast', [b.input('x', 'float32', ['n', 1, 64, 64])], { to: 10 }),
      b.add('Cast', [b.input('b', 'float32', [1])], { to: 10 }, 'bias'),
    ];
    b.output(b.add('Add', [x, bias], {}, 'y'), 'float16', ['n', 1, 64, 64]);
    const { model, cotangent, gradients } = gradientModel(modelOf(b.finish()), {
      of: 'y',
      wrt: ['bias'],
    });
    const feeds = { x: randomTensor([1, 1, 64, 64]), b: randomTensor([1]) };
    const results = await runModel(model, {
      ...feeds,
      [cotangent]: new Tensor('float32', new Float32Array(4096).fill(1 + 2 ** -12), [1, 1, 64, 64]),
    });
    // Half precision cannot represent 1 + 2^-12, and a running sum of ones in it stops at 2048.
    expect(results[gradients.get('bias') ?? ''].data[0]).toBe(4097);
  });

  it('passes gradients straight through quantisation', async () => {
    const model = modelBy((b, x) => {
      const [scale, zero] = [b.constant([0.1], []), b.constant([128], [], 'uint8')];
      const q = b.add('QuantizeLinear', [x, scale, zero]);
      return b.add('Mul', [b.add('DequantizeLinear', [q, scale, zero]), b.constant([3])], {}, 'y');
    });
    expect(await gradientOf(model, [0.11, 0.22, -0.3, 0.4], [1, 2, 3, 4])).toEqual([3, 6, 9, 12]);
  });
});
