import { expect, it } from 'vitest';
import { explain } from '../../src/explain.ts';
import { createOnnxModel } from '../../src/model/onnx-model.ts';
import { createNodeRuntime } from '../../src/node.ts';
import {
  type DataType,
  type Dim,
  type GraphBuilder,
  graphBuilder,
  modelOf,
  writeModel,
} from '../../src/onnx/index.ts';
import { createRandom } from '../../src/tensor/random.ts';
import { extent } from '../../src/tensor/statistics.ts';
import { tensor } from '../../src/tensor/tensor.ts';

/*
 * One small network as exporters of many kinds spell it. White-box and black-box methods must make
 * a map of each, or refuse it in one sentence that is true.
 */

const [SIDE, CLASSES] = [16, 3];

/** How a file differs from the usual one. */
interface Kind {
  readonly opset?: number;
  readonly input?: DataType;
  readonly shape?: readonly Dim[];
  /** `tensors`: all of it is float16. `weights`: a Cast follows each weight. */
  readonly half?: 'tensors' | 'weights';
  readonly quantized?: 'qdq' | 'qlinear';
  readonly end?: 'ZipMap' | 'Softmax' | 'one score';
  /** Whether a class token is repeated by the batch size that is read from the picture. */
  readonly token?: boolean;
}

type Ones = Readonly<Record<string, Kind>>;
const each = (name: string, opsets: readonly number[], kind: Kind): Ones =>
  Object.fromEntries(opsets.map((opset) => [`${name}, opset ${opset}`, { ...kind, opset }]));

const KINDS: Ones = {
  ...each(
    'plain',
    Array.from({ length: 18 }, (_, i) => 7 + i),
    {},
  ),
  ...each('float16', [9, 17], { half: 'tensors' }),
  ...each('weights in float16', [9, 17], { half: 'weights' }),
  ...each('QuantizeLinear and DequantizeLinear', [10, 21], { quantized: 'qdq' }),
  ...each('QLinearConv', [10, 21], { quantized: 'qlinear' }),
  ...each('a class token', [9, 13, 21], { token: true }),
  bytes: { input: 'uint8' },
  'an open height and width': { shape: ['n', 3, 'h', 'w'] },
  'sizes without names': { shape: [null, 3, null, null] },
  'a batch of one': { shape: [1, 3, SIDE, SIDE], token: true },
  'a batch of four': { shape: [4, 3, SIDE, SIDE] },
  ZipMap: { end: 'ZipMap' },
  Softmax: { end: 'Softmax' },
  'one score': { end: 'one score' },
};

/** Two convolutions, each with a ReLU, and a dense layer on the mean of all cells. */
function fileOf(kind: Kind): Uint8Array {
  const { opset = 17, half, quantized, end, shape = ['n', 3, SIDE, SIDE] } = kind;
  const b = graphBuilder({ opset: { '': opset, 'ai.onnx.ml': 2 }, name: 'kind' });
  const type = half === 'tensors' ? 'float16' : 'float32';
  const picture = b.input('x', kind.input ?? type, shape);
  let x = picture;
  if (kind.input === 'uint8')
    x = b.add('Mul', [b.add('Cast', [x], { to: 1 }), b.constant([1 / 255], [1])]);
  for (const [inputs, outputs] of [
    [3, 8],
    [8, 16],
  ] as const)
    x = quantized
      ? quantizedLayer(b, x, inputs, outputs, quantized)
      : b.add('Relu', [
          b.add('Conv', [x, weight(b, [outputs, inputs, 3, 3], half)], { strides: [2, 2] }),
        ]);
  const features = kind.token ? withToken(b, x, picture, opset) : b.add('GlobalAveragePool', [x]);
  const classes = end === 'one score' ? 1 : CLASSES;
  const dense = [weight(b, [16, classes], half), weight(b, [classes], half)];
  let y = b.add('Gemm', [b.add('Flatten', [features]), ...dense]);
  if (end === 'ZipMap' || end === 'Softmax') y = b.add('Softmax', [y], { axis: 1 });
  if (end === 'ZipMap')
    y = b.add('ZipMap', [y], { classlabels_strings: ['a', 'b', 'c'] }, 'maps', {
      domain: 'ai.onnx.ml',
    });
  b.output(
    y,
    end === 'ZipMap' ? null : type,
    end === 'ZipMap' ? null : [shape[0] ?? null, classes],
  );
  return writeModel(modelOf(b.finish()));
}

const random = createRandom(11);
function weight(b: GraphBuilder, shape: readonly number[], half: Kind['half']): string {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: count }, () => 0.3 * random.normal());
  const stored = b.constant(values, shape, half ? 'float16' : 'float32');
  return half === 'weights' ? b.add('Cast', [stored], { to: 1 }) : stored;
}

/** Scale and zero point. */
const code = (b: GraphBuilder, scale: number, zero: number, type: DataType) => [
  b.constant([scale], []),
  b.constant([zero], [], type),
];

function quantizedLayer(
  b: GraphBuilder,
  x: string,
  inputs: number,
  outputs: number,
  form: 'qdq' | 'qlinear',
): string {
  const [own, ofWeights] = [code(b, 0.02, 128, 'uint8'), code(b, 0.01, 0, 'int8')];
  const codes = Array.from({ length: outputs * inputs * 9 }, () =>
    Math.round(30 * random.normal()),
  );
  const weights = b.constant(codes, [outputs, inputs, 3, 3], 'int8');
  const q = b.add('QuantizeLinear', [x, ...own]);
  if (form === 'qlinear') {
    const layer = [q, ...own, weights, ...ofWeights, ...own];
    const y = b.add('QLinearConv', layer, { strides: [2, 2] });
    return b.add('Relu', [b.add('DequantizeLinear', [y, ...own])]);
  }
  const pair = [q, weights].map((name, i) =>
    b.add('DequantizeLinear', [name, ...(i === 0 ? own : ofWeights)]),
  );
  return b.add('Relu', [b.add('Conv', pair, { strides: [2, 2] })]);
}

/** The mean of all cells and of a class token, which Expand repeats for each picture. */
function withToken(b: GraphBuilder, x: string, picture: string, opset: number): string {
  const ints = (...values: number[]) => b.constant(values, [values.length], 'int64');
  const cells = b.add('Transpose', [b.add('Reshape', [x, ints(0, 16, -1)])], { perm: [0, 2, 1] });
  const size = b.add('Gather', [b.add('Shape', [picture]), ints(0)], { axis: 0 });
  const shape = b.add('Concat', [size, ints(1, 16)], { axis: 0 });
  const token = b.add('Expand', [weight(b, [1, 1, 16], undefined), shape]);
  const all = b.add('Concat', [token, cells], { axis: 1 });
  return opset < 18
    ? b.add('ReduceMean', [all], { axes: [1], keepdims: 0 })
    : b.add('ReduceMean', [all, ints(1)], { keepdims: 0 });
}

const picture = tensor(
  [1, 3, SIDE, SIDE],
  Float32Array.from({ length: 3 * SIDE * SIDE }, () => 127 + 60 * random.normal()),
);
const small = tensor(
  picture.shape,
  picture.data.map((value) => (value - 127) / 60),
);

it.each(Object.entries(KINDS))('%s', async (name, kind) => {
  const preprocessing = { size: [SIDE, SIDE] as const };
  const source = { name: 'net', bytes: fileOf(kind), preprocessing };
  const model = await createOnnxModel(source, await createNodeRuntime({ threads: 1 }));
  const input = kind.input === 'uint8' ? picture : small;
  for (const method of ['grad-cam', 'gradient', 'lrp', 'rise'] as const) {
    const options = method === 'rise' ? { N: 8, s: 4 } : {};
    const map = explain(model, input, { method, options, target: 1 }).then((made) => made.map);
    if (kind.quantized === 'qlinear' && (method === 'gradient' || method === 'lrp')) {
      await expect(map).rejects.toThrow(/^[^\n]*QLinearConv[^\n]*: integer arithmetic has no/);
      continue;
    }
    const [low, high] = extent((await map).data);
    expect(high - low, `${name}, ${method}`).toBeGreaterThan(0);
  }
  await model.dispose();
});
