import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { FoveaError } from '../errors.ts';
import { randomTensor, runModel } from '../onnx/fixtures/run.ts';
import {
  elementCount,
  type GraphBuilder,
  graphBuilder,
  inferShapes,
  modelOf,
  type OnnxModel,
  producersOf,
  SAME_VALUES,
  sourceOf,
  withGraph,
} from '../onnx/index.ts';
import { deepLift, gradientModel } from './index.ts';

type Build = (b: GraphBuilder, x: string) => string;

function modelBy(shape: readonly number[], build: Build, opset = 17, input = 'x'): OnnxModel {
  const b = graphBuilder({ opset });
  b.add('Identity', [build(b, b.input(input, 'float32', shape))], {}, 'y');
  b.output('y');
  return modelOf(b.finish());
}

const attempt = (model: OnnxModel, wrt = 'x') => gradientModel(model, { of: 'y', wrt: [wrt] });

describe('gradientModel on files that no runtime accepts', () => {
  it.each<[string, readonly number[], Build, RegExp]>([
    [
      'a huge dimension',
      [2, 1000000007, 9],
      (b, x) => b.add('AveragePool', [x], { kernel_shape: [3] }),
      /the tensor .* is too large to be differentiated/,
    ],
    [
      'an axis with more than a million windows',
      [1, 3, 7, 2 ** 24],
      (b, x) => b.add('AveragePool', [x], { kernel_shape: [3, 3], strides: [2, 2] }),
      /the tensor .* is too large to be differentiated/,
    ],
    [
      'an axis far before the first axis',
      [2, 3, 5],
      (b, x) => {
        const one = b.constant(new Float32Array(5), [5]);
        return b.add('LayerNormalization', [x, one, one], { axis: -(2 ** 31) });
      },
      /the LayerNormalization node .* has the attribute axis/,
    ],
    [
      'strides that produce more phases than any layer has',
      [1, 3, 8, 8],
      (b, x) => b.add('LpPool', [x], { kernel_shape: [1, 1], strides: [65, 65] }),
      /the LpPool node .* strides, of at most 4096/,
    ],
    [
      'an operand that is missing',
      [2, 3],
      (b, x) => b.add('Mul', [x]),
      /the Mul node .* lacks its input 1/,
    ],
    [
      'a layer without weights',
      [1, 3, 8, 8],
      (b, x) => b.add('Conv', [x]),
      /the Conv node .* lacks its input 1/,
    ],
    [
      'an average over a window of a hundred million elements',
      [1, 1, 2 ** 14, 2 ** 14],
      (b, x) => b.add('AveragePool', [x], { kernel_shape: [2 ** 14, 2 ** 14], strides: [2, 2] }),
      /needs constants of at most 16777216 elements, here 268435456/,
    ],
    [
      'a resized picture whose matrices have 2^25 elements',
      [1, 1, 2 ** 12, 2 ** 12],
      (b, x) => b.add('Resize', [x, '', b.constant([1, 1, 2, 2], [4])], { mode: 'linear' }),
      /needs constants of at most 16777216 elements, here 33554432/,
    ],
    [
      'a scale that contradicts the sizes',
      [1, 1, 64, 64],
      (b, x) => {
        const sizes = b.constant(BigInt64Array.of(1n, 1n, 9n, 9n), [4]);
        return b.add('Resize', [x, '', b.constant([1, 1, 1e-30, 1], [4]), sizes], {
          mode: 'linear',
          antialias: 1,
        });
      },
      /the Resize node .* needs a scale that resizes 64 to 9/,
    ],
    [
      'a kernel with three axes for a feature map with two',
      [1, 3, 8, 8],
      (b, x) => b.add('MaxPool', [x], { kernel_shape: [2, 2, 2] }),
      /the MaxPool node .* has 3 numbers in the attribute kernel_shape: expected 2/,
    ],
    [
      'a number of filters that is not divisible by the number of groups',
      [1, 6, 8, 8],
      (b, x) => b.add('Conv', [x, b.constant(new Float32Array(36), [4, 1, 3, 3])], { group: 3 }),
      /the Conv node .* needs a size that is divisible by 3, not 4/,
    ],
    [
      'an equation with another number of terms than inputs',
      [2, 3],
      (b, x) => b.add('Einsum', [x, x], { equation: 'ab' }),
      /the Einsum node .* needs an equation with as many terms as it has inputs, 2/,
    ],
  ])('refuses %s', (_, shape, build, message) => {
    const model = modelBy(shape, build);
    const error = (() => {
      try {
        attempt(model);
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
    expect(error).toBeInstanceOf(FoveaError);
    expect((error as FoveaError).message).toMatch(message);
    expect((error as FoveaError).code).not.toBe('internal');
  });

  it.each([5, 6])('refuses opset %i, which lacks operators of a backward pass', (opset) => {
    const model = modelBy([2, 3], (b, x) => b.add('Relu', [x]), opset);
    expect(() => attempt(model)).toThrow('gradients need opset 9 or later');
  });

  it.each(['constructor', 'toString', '__proto__'])(
    'accepts tensors named like properties of Object: %s',
    (name) => {
      const model = modelBy([2, 3], (b, x) => b.add('Relu', [x]), 17, name);
      expect(inferShapes(model.graph).get('y')?.shape).toEqual([2, 3]);
      expect(attempt(model, name).gradients.has(name)).toBe(true);
      const operator = modelBy([2, 3], (b, x) => b.add(name, [x]));
      expect(() => attempt(operator)).toThrow(`the ${name} node`);
    },
  );

  it('builds the gradient of a long reversed axis without a constant as long as the axis', () => {
    const ints = (...values: bigint[]) => [BigInt64Array.from(values), [values.length]] as const;
    const model = modelBy([2 ** 24], (b, x) => {
      const range = [ints(-1n), ints(-(2n ** 40n)), ints(0n), ints(-1n)];
      return b.add('Slice', [x, ...range.map((part) => b.constant(...part))]);
    });
    const { initializers } = attempt(model).model.graph;
    expect(Math.max(...[...initializers.values()].map(elementCount))).toBeLessThan(10);
  });

  it('infers no products with an unlimited number of names', () => {
    const b = graphBuilder({ opset: 17 });
    let sizes = b.add('Shape', [b.input('x', 'float32', ['n', 3])]);
    for (let i = 0; i < 40; i++) sizes = b.add('Mul', [sizes, sizes]);
    b.add('ConstantOfShape', [sizes], {}, 'y');
    b.output('y');
    expect(inferShapes(b.finish()).get('y')?.shape?.[0]).toBe(null);
  });

  it('infers a Slice with more ranges than axes', () => {
    const b = graphBuilder({ opset: 17 });
    const starts = b.input('starts', 'int64', [2 ** 40]);
    b.add('Slice', [b.input('x', 'float32', [2, 3]), starts, starts], {}, 'y');
    b.output('y');
    expect(inferShapes(b.finish()).get('y')?.shape).toEqual([null, null]);
  });

  it('infers a Tile of an empty tensor without making copies', () => {
    const b = graphBuilder({ opset: 17 });
    const repeats = b.constant(BigInt64Array.of(2n ** 40n), [1]);
    b.add('Tile', [b.constant(new BigInt64Array(0), [0]), repeats], {}, 'y');
    b.output('y');
    expect(inferShapes(b.finish()).get('y')?.shape).toEqual([0]);
  });

  it('finds the source of a tensor over a chain of twenty thousand copies', () => {
    const b = graphBuilder({ opset: 17 });
    let x = b.input('x', 'float32', [1, 3, 8, 8]);
    for (let i = 0; i < 20_000; i++) x = b.add('Identity', [x]);
    const graph = b.finish();
    expect(sourceOf(producersOf(graph), x, SAME_VALUES)).toBe('x');
  });

  it('builds the gradient of GlobalMaxPool without a constant as large as the layer', () => {
    const model = modelBy([1, 1, 4, 2 ** 20], (b, x) => b.add('GlobalMaxPool', [x]));
    const { initializers } = attempt(model).model.graph;
    expect(Math.max(...[...initializers.values()].map(elementCount))).toBeLessThan(10);
  });
});

describe('the gradient of a quantizer', () => {
  it.each<[string, 'uint8' | 'int8' | 'int16', number, (x: number) => boolean]>([
    ['a fused ReLU', 'uint8', 0, (x) => x >= 0 && x < 5.1],
    ['a ReLU in int8', 'int8', -128, (x) => x >= 0 && x < 5.1],
    ['a range on both sides', 'int8', 0, (x) => Math.abs(x) < 2.56],
    ['a range that no value exceeds', 'int16', 0, () => true],
  ])(
    'is zero for elements outside the range of the quantizer: %s',
    async (_, type, zero, isInside) => {
      const values = [-7, -3, -2, -0.005, 0.3, 1, 2.5, 2.7, 5, 5.3, 9, 100];
      const model = modelBy(
        [values.length],
        (b, x) => {
          const parameters = [b.constant([0.02], []), b.constant([zero], [], type)];
          const q = b.add('QuantizeLinear', [x, ...parameters]);
          return b.add('DequantizeLinear', [q, ...parameters]);
        },
        21,
      );
      const { model: backward, cotangent, gradients } = attempt(model);
      const results = await runModel(backward, {
        x: new Tensor('float32', Float32Array.from(values), [values.length]),
        [cotangent]: new Tensor('float32', new Float32Array(values.length).fill(3), [
          values.length,
        ]),
      });
      const got = results[gradients.get('x') ?? '']?.data as Float32Array;
      expect([...got]).toEqual(values.map((x) => (isInside(x) ? 3 : 0)));
    },
  );
});

describe('the gradient of a layer whose size depends on rounding', () => {
  it.each([10, 11, 17, 18])(
    'has the size of the input for Resize by a float32 scale, opset %i',
    async (opset) => {
      const scales = (b: GraphBuilder): string => b.constant([1, 1, 0.44, 0.44], [4]);
      const model = modelBy(
        [1, 1, 150, 150],
        (b, x) => {
          const inputs =
            opset < 11 ? [x, scales(b)] : [x, b.constant(new Float32Array(0), [0]), scales(b)];
          return b.add('Tanh', [b.add('Resize', inputs, { mode: 'linear' }, 'resized')]);
        },
        opset,
      );
      expect(inferShapes(model.graph).get('resized')?.shape).toEqual([1, 1, 66, 66]);
      const { model: backward, cotangent, gradients } = attempt(model);
      const results = await runModel(backward, {
        x: randomTensor([1, 1, 150, 150]),
        [cotangent]: randomTensor([1, 1, 66, 66], 2),
      });
      expect(results[gradients.get('x') ?? '']?.dims).toEqual([1, 1, 150, 150]);
    },
  );
});

describe('nodes without names in a gradient model', () => {
  it('get different names in the copy for the reference of DeepLIFT', () => {
    const named = modelBy([2, 3], (b, x) => b.add('Tanh', [b.add('Relu', [x])]));
    const { graph } = named;
    const nameless = withGraph(named, {
      ...graph,
      nodes: graph.nodes.map((node) => ({ ...node, name: '' })),
    });
    const { model } = gradientModel(nameless, { of: 'y', wrt: ['x'], rules: deepLift });
    const names = model.graph.nodes.flatMap(({ name }) => (name === '' ? [] : [name]));
    expect(new Set(names).size).toBe(names.length);
  });
});
