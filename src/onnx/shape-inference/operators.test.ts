import { describe, expect, it } from 'vitest';
import { checkShapes } from '../fixtures/run.ts';
import { type GraphBuilder, graphBuilder, modelOf } from '../index.ts';

type Build = (b: GraphBuilder, x: string) => unknown;

const ints = (b: GraphBuilder, ...values: number[]): string =>
  b.constant(values, [values.length], 'int64');
const scalar = (b: GraphBuilder, value: number): string => b.constant(value, [], 'int64');
const floats = (b: GraphBuilder, ...dims: number[]): string =>
  b.constant(
    Float32Array.from({ length: dims.reduce((a, c) => a * c, 1) }, (_, i) => Math.sin(i)),
    dims,
  );
const ms = { domain: 'com.microsoft' };

/**
 * Builds a model with the input x [batch, 6, 8, 10] (or `dims`), runs it, and compares every
 * inferred shape with that of ONNX Runtime.
 */
async function check(
  opset: number,
  build: Build,
  dims: (number | string)[] = ['batch', 6, 8, 10],
): Promise<void> {
  const b = graphBuilder({ opset: { '': opset, 'com.microsoft': 1 } });
  build(b, b.input('x', 'float32', dims));
  const model = modelOf(b.finish());
  const report = await checkShapes(model, { batch: 3 });
  expect(report.wrong).toEqual([]);
  expect(report.unknown).toEqual([]);
  expect(report.right).toBeGreaterThan(0);
}

function family(
  name: string,
  cases: Record<string, [opset: number, build: Build, dims?: (number | string)[]]>,
): void {
  describe(`inferShapes on operators of ${name}`, () => {
    for (const [title, [opset, build, dims]] of Object.entries(cases)) {
      it(`agrees with ONNX Runtime on ${title}, opset ${opset}`, () => check(opset, build, dims));
    }
  });
}

describe('inferShapes on operators with one input that keep the shape', () => {
  const unary = `Relu LeakyRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Softplus Softsign Tanh
    Erf Floor Ceil Round Sign Reciprocal Sqrt Exp Log Neg Abs Softmax LogSoftmax Hardmax
    Identity Sin Cos IsNaN LpNormalization Mish Dropout Clip`;
  for (const opType of unary.split(/\s+/)) {
    it(`agrees with ONNX Runtime on ${opType}`, () =>
      check(opType === 'Mish' ? 18 : 17, (b, x) => b.add(opType, [x])));
  }
});

describe('inferShapes on operators with two inputs that broadcast', () => {
  const binary = `Add Sub Mul Div Pow Min Max Sum Mean Equal Less LessOrEqual Greater
    GreaterOrEqual PRelu`;
  for (const opType of binary.split(/\s+/)) {
    it(`agrees with ONNX Runtime on ${opType}`, () =>
      check(17, (b, x) => b.add(opType, [x, floats(b, 6, 1, 1)])));
  }
  it('broadcasts axes of both inputs', () =>
    check(17, (b, x) => b.add('Add', [floats(b, 10), b.add('Mul', [x, floats(b, 1, 6, 8, 1)])])));
});

family('elementwise', {
  'And, Or, Xor, Not': [
    17,
    (b, x) => {
      const [p, q] = [b.add('Greater', [x, floats(b, 1)]), b.add('Less', [x, floats(b, 8, 1)])];
      b.add('Not', [b.add('Xor', [b.add('And', [p, q]), b.add('Or', [p, q])])]);
    },
  ],
  Where: [17, (b, x) => b.add('Where', [b.add('Greater', [x, floats(b, 1)]), x, floats(b, 1)])],
  'Cast to int64, bool, float16': [
    17,
    (b, x) => [7, 9, 10].map((to) => b.add('Cast', [x], { to })),
  ],
  Mod: [17, (b, x) => b.add('Mod', [x, floats(b, 1)], { fmod: 1 })],
  CumSum: [17, (b, x) => b.add('CumSum', [x, scalar(b, 1)])],
  'Clip with attributes': [7, (b, x) => b.add('Clip', [x], { min: 0, max: 6 })],
  Gelu: [20, (b, x) => b.add('Gelu', [x], { approximate: 'tanh' })],
  'Gelu, FastGelu, QuickGelu of com.microsoft': [
    17,
    (b, x) => {
      for (const op of ['Gelu', 'FastGelu', 'QuickGelu']) b.add(op, [x], {}, undefined, ms);
      b.add('BiasGelu', [x, floats(b, 10)], {}, undefined, ms);
    },
  ],
  quantisation: [
    17,
    (b, x) => {
      const scale = b.constant(0.1);
      const zero = b.constant(3, [], 'int8');
      b.add('DequantizeLinear', [b.add('QuantizeLinear', [x, scale, zero]), scale, zero]);
      b.add('DequantizeLinear', [b.add('QuantizeLinear', [x, scale]), scale]);
      const q = b.add('DynamicQuantizeLinear', [x], {}, 3);
      b.add('QLinearAdd', [q[0], q[1], q[2], q[0], q[1], q[2], q[1], q[2]], {}, undefined, ms);
    },
  ],
});

family('convolution', {
  'Conv, pads, strides, dilations, groups': [
    17,
    (b, x) => {
      b.add('Conv', [x, floats(b, 4, 6, 3, 3)], { pads: [1, 1, 1, 1] });
      b.add('Conv', [x, floats(b, 4, 6, 3, 3), floats(b, 4)], {
        strides: [2, 3],
        pads: [0, 0, 1, 1],
      });
      b.add('Conv', [x, floats(b, 6, 1, 3, 2)], {
        group: 6,
        dilations: [2, 3],
        kernel_shape: [3, 2],
      });
      b.add('Conv', [x, floats(b, 5, 6, 1, 1)], { strides: [2, 2] });
    },
  ],
  'Conv with auto_pad': [
    11,
    (b, x) => {
      for (const auto_pad of ['SAME_UPPER', 'SAME_LOWER', 'VALID']) {
        b.add('Conv', [x, floats(b, 4, 6, 3, 3)], { auto_pad, strides: [2, 3] });
        b.add('Conv', [x, floats(b, 4, 6, 4, 3)], { auto_pad });
      }
    },
  ],
  'Conv over one axis': [
    13,
    (b, x) => b.add('Conv', [x, floats(b, 4, 6, 3)], { strides: [2] }),
    ['batch', 6, 11],
  ],
  'Conv that keeps symbolic sizes': [
    13,
    (b, x) => b.add('Conv', [x, floats(b, 4, 6, 3, 3)], { pads: [1, 1, 1, 1] }),
    ['batch', 6, 'height', 'width'],
  ],
  ConvTranspose: [
    11,
    (b, x) => {
      const w = floats(b, 6, 2, 3, 3);
      b.add('ConvTranspose', [x, w]);
      b.add('ConvTranspose', [x, w], {
        strides: [2, 3],
        pads: [1, 0, 1, 1],
        output_padding: [1, 0],
      });
      b.add('ConvTranspose', [x, w], { group: 3, dilations: [2, 1] });
      b.add('ConvTranspose', [x, w], { strides: [2, 2], output_shape: [17, 21] });
      b.add('ConvTranspose', [x, w], { strides: [2, 2], auto_pad: 'SAME_UPPER' });
    },
  ],
  FusedConv: [
    17,
    (b, x) => b.add('FusedConv', [x, floats(b, 4, 6, 3, 3)], { activation: 'Relu' }, undefined, ms),
  ],
  'QLinearConv, ConvInteger': [
    13,
    (b, x) => {
      const [q, scale, zero] = b.add('DynamicQuantizeLinear', [x], {}, 3);
      const w = b.constant(new Int8Array(4 * 6 * 9), [4, 6, 3, 3]);
      const wz = b.constant(0, [], 'int8');
      b.add('QLinearConv', [q, scale, zero, w, b.constant(0.1), wz, scale, zero], {
        pads: [1, 1, 1, 1],
      });
      b.add('ConvInteger', [q, b.constant(new Uint8Array(4 * 6 * 9), [4, 6, 3, 3]), zero]);
    },
  ],
});

const ceilings: Build = (b, x) => {
  for (const opType of ['MaxPool', 'AveragePool']) {
    for (const kernel_shape of [
      [2, 2],
      [3, 3],
    ]) {
      for (const strides of [
        [2, 2],
        [3, 3],
      ]) {
        b.add(opType, [x], { kernel_shape, strides, ceil_mode: 1 });
        b.add(opType, [x], { kernel_shape, strides, ceil_mode: 1, pads: [1, 1, 1, 1] });
        b.add(opType, [x], { kernel_shape, strides, pads: [0, 1, 1, 0] });
      }
    }
  }
};

family('pooling', {
  'MaxPool, AveragePool': [
    10,
    (b, x) => {
      for (const opType of ['MaxPool', 'AveragePool']) {
        b.add(opType, [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
        for (const auto_pad of ['SAME_UPPER', 'SAME_LOWER', 'VALID'])
          b.add(opType, [x], { kernel_shape: [3, 2], strides: [2, 3], auto_pad });
      }
      b.add('MaxPool', [x], { kernel_shape: [3, 3] }, 2);
    },
  ],
  'ceil_mode on an even size': [12, ceilings],
  'ceil_mode on an odd size': [12, ceilings, ['batch', 2, 7, 9]],
  'ceil_mode on another size': [19, ceilings, ['batch', 2, 8, 11]],
  dilations: [
    19,
    (b, x) =>
      ['MaxPool', 'AveragePool'].map((op) =>
        b.add(op, [x], { kernel_shape: [3, 2], dilations: [2, 3] }),
      ),
  ],
  LpPool: [11, (b, x) => b.add('LpPool', [x], { kernel_shape: [3, 3], strides: [2, 2], p: 2 })],
  global: [
    13,
    (b, x) => ['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'].map((op) => b.add(op, [x])),
  ],
  'QLinearGlobalAveragePool, QLinearAveragePool': [
    13,
    (b, x) => {
      const q = b.add('DynamicQuantizeLinear', [x], {}, 3);
      const inputs = [...q, q[1], q[2]];
      b.add('QLinearGlobalAveragePool', inputs, { channels_last: 0 }, undefined, ms);
      b.add('QLinearGlobalAveragePool', inputs, { channels_last: 1 }, undefined, ms);
      b.add('QLinearAveragePool', inputs, { kernel_shape: [3, 3] }, undefined, ms);
    },
  ],
});

family('linalg', {
  MatMul: [
    13,
    (b, x) => {
      b.add('MatMul', [x, floats(b, 10, 5)]);
      b.add('MatMul', [x, floats(b, 6, 10, 5)]);
      b.add('MatMul', [x, floats(b, 10)]);
      b.add('MatMul', [floats(b, 8), x]);
      b.add('MatMul', [floats(b, 2, 1, 1, 4, 8), x]);
    },
  ],
  Gemm: [
    11,
    (b, x) => {
      b.add('Gemm', [x, floats(b, 10, 5)], { alpha: 2 });
      b.add('Gemm', [x, floats(b, 5, 10), floats(b, 5)], { transB: 1 });
      b.add('Gemm', [b.add('Transpose', [x]), floats(b, 5, 10)], { transA: 1, transB: 1 });
    },
    ['batch', 10],
  ],
  Einsum: [
    12,
    (b, x) => {
      b.add('Einsum', [x, floats(b, 3, 6, 10, 4)], { equation: 'bchd, bcde -> bche' });
      b.add('Einsum', [x, floats(b, 10, 4)], { equation: '...d,de->...e' });
      b.add('Einsum', [x], { equation: 'bchw->bc' });
      b.add('Einsum', [x, floats(b, 10, 4)], { equation: 'bchd,de' });
    },
    [3, 6, 8, 10],
  ],
  FusedMatMul: [
    17,
    (b, x) => {
      b.add('FusedMatMul', [x, floats(b, 5, 10)], { transB: 1, alpha: 0.5 }, undefined, ms);
      b.add('FusedMatMul', [x, floats(b, 6, 8, 5)], { transA: 1 }, undefined, ms);
    },
  ],
  'QLinearMatMul, MatMulInteger': [
    13,
    (b, x) => {
      const [q, scale, zero] = b.add('DynamicQuantizeLinear', [x], {}, 3);
      const w = b.constant(new Uint8Array(50), [10, 5]);
      b.add('QLinearMatMul', [
        q,
        scale,
        zero,
        w,
        b.constant(0.1),
        b.constant(0, [], 'uint8'),
        scale,
        zero,
      ]);
      b.add('MatMulInteger', [q, w, zero]);
      b.add(
        'DynamicQuantizeMatMul',
        [x, w, b.constant(0.1), b.constant(0, [], 'uint8')],
        {},
        undefined,
        ms,
      );
    },
  ],
  'Attention, MultiHeadAttention': [
    17,
    (b, x) => {
      b.add('Attention', [x, floats(b, 8, 24), floats(b, 24)], { num_heads: 2 }, undefined, ms);
      b.add('MultiHeadAttention', [x, x, x], { num_heads: 2 }, undefined, ms);
    },
    ['batch', 5, 8],
  ],
});

family('normalization', {
  BatchNormalization: [
    9,
    (b, x) =>
      b.add('BatchNormalization', [
        x,
        floats(b, 6),
        floats(b, 6),
        floats(b, 6),
        b.constant(new Float32Array(6).fill(1)),
      ]),
  ],
  LayerNormalization: [
    17,
    (b, x) => b.add('LayerNormalization', [x, floats(b, 8, 10)], { axis: -2 }, 3),
  ],
  GroupNormalization: [
    21,
    (b, x) => b.add('GroupNormalization', [x, floats(b, 6), floats(b, 6)], { num_groups: 3 }),
  ],
  'InstanceNormalization, LRN, MeanVarianceNormalization': [
    13,
    (b, x) => {
      b.add('InstanceNormalization', [x, floats(b, 6), floats(b, 6)]);
      b.add('LRN', [x], { size: 3, bias: 1 });
      b.add('MeanVarianceNormalization', [x]);
    },
  ],
  SkipLayerNormalization: [
    17,
    (b, x) => b.add('SkipLayerNormalization', [x, x, floats(b, 8)], {}, ['y', '', '', 'sum'], ms),
    ['batch', 5, 8],
  ],
  SimplifiedLayerNormalization: [
    17,
    (b, x) =>
      b.add('SimplifiedLayerNormalization', [x, floats(b, 10)], { axis: -1, stash_type: 1 }),
  ],
});

const reductions = 'Sum Mean Max Min Prod L1 L2 LogSum LogSumExp SumSquare'
  .split(' ')
  .map((name) => `Reduce${name}`);

family('reduction', {
  'Reduce* with axes as attribute': [
    11,
    (b, x) => {
      for (const op of reductions) b.add(op, [x], { axes: [-1, 1], keepdims: 0 });
      b.add('ReduceMean', [x], { axes: [2, 3] });
      b.add('ReduceMean', [x], { keepdims: 0 });
    },
  ],
  'Reduce* with axes as input': [
    18,
    (b, x) => {
      const axes = ints(b, -1, 1);
      for (const op of reductions) b.add(op, [x, axes], { keepdims: 0 });
      b.add('ReduceSum', [x]);
      b.add('ReduceSum', [x], { noop_with_empty_axes: 1 });
    },
  ],
  'ReduceSum, whose axes are an input from opset 13 on': [
    13,
    (b, x) => {
      b.add('ReduceSum', [x, ints(b, 1)]);
      b.add('ReduceMean', [x], { axes: [1] });
    },
  ],
  'ArgMax, ArgMin': [
    13,
    (b, x) => {
      b.add('ArgMax', [x]);
      b.add('ArgMin', [x], { axis: -1, keepdims: 0 });
    },
  ],
  TopK: [11, (b, x) => b.add('TopK', [x, ints(b, 3)], { axis: 1 }, 2)],
  'TopK with k as attribute': [9, (b, x) => b.add('TopK', [x], { k: 3 }, 2)],
});
