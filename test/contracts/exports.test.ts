import { describe, expect, it } from 'vitest';
import { explain } from '../../src/explain.ts';
import { methods } from '../../src/methods/index.ts';
import type { Model } from '../../src/model/model.ts';
import { createOnnxModel } from '../../src/model/onnx-model.ts';
import { type GraphBuilder, graphBuilder, modelOf, writeModel } from '../../src/onnx/index.ts';
import { createNodeRuntime } from '../../src/runtime/onnxruntime-node.ts';
import { createRandom } from '../../src/tensor/random.ts';
import { extent } from '../../src/tensor/statistics.ts';
import { sizeOf, tensor } from '../../src/tensor/tensor.ts';

// Small networks in the spellings of exporters: open batches whose size is read from the input,
// class tokens by Expand, attention and normalizations in pieces, channels last, rescaling at the
// head of the graph, open heights and widths, several outputs, one score.

/** What the networks are written with. */
function pen(b: GraphBuilder) {
  const random = createRandom(5);
  return {
    op: (type: string, ...inputs: string[]) => b.add(type, inputs),
    number: (value: number) => b.constant([value], []),
    ints: (...values: number[]) => b.constant(values, [values.length], 'int64'),
    int: (value: number) => b.constant([value], [], 'int64'),
    /** Seeded weights that keep the size of what they are applied to. */
    weights: (...shape: number[]) => {
      const scale = 0.9 / Math.sqrt(Math.max(1, sizeOf(shape.slice(1))));
      const values = Float32Array.from({ length: sizeOf(shape) }, () => scale * random.normal());
      return b.constant(values, shape);
    },
    ones: (count: number) => b.constant(new Float32Array(count).fill(1), [count]),
  };
}

const square = (size: number, step: number, pad = 0) => ({
  kernel_shape: [size, size],
  strides: [step, step],
  pads: [pad, pad, pad, pad],
});

/** x.view(x.size(0), -1), as TorchScript writes it. */
function torchScript(b: GraphBuilder): void {
  const { op, ints, int, weights } = pen(b);
  const x = b.input('input', 'float32', ['batch_size', 3, 64, 64]);
  const first = op('Relu', b.add('Conv', [x, weights(8, 3, 3, 3), weights(8)], square(3, 2, 1)));
  const second = op('Relu', b.add('Conv', [first, weights(8, 8, 3, 3)], square(3, 1, 1)));
  const pooled = b.add('AveragePool', [b.add('MaxPool', [second], square(2, 2))], square(4, 4));
  const batch = b.add('Gather', [op('Shape', pooled), int(0)], { axis: 0 });
  const sizes = b.add('Concat', [b.add('Unsqueeze', [batch], { axes: [0] }), ints(-1)], {
    axis: 0,
  });
  const flat = op('Reshape', pooled, sizes);
  b.output(b.add('Gemm', [flat, weights(5, 128), weights(5)], { transB: 1 }), 'float32', [
    'batch_size',
    5,
  ]);
}

/** One block of a ViT as dynamo writes it; `batch` is the batch size, read from the input. */
function dynamoBlock(b: GraphBuilder, tokens: string, batch: string): string {
  const { op, number, ints, weights } = pen(b);
  const sized = (x: string, ...sizes: number[]) =>
    b.add('Reshape', [x, b.add('Concat', [batch, ints(...sizes)], { axis: 0 })], { allowzero: 1 });
  const norm = (x: string) =>
    b.add('LayerNormalization', [x, weights(16), weights(16)], { axis: -1, epsilon: 1e-6 });
  const dense = (x: string, from: number, to: number) =>
    op('Add', op('MatMul', x, weights(from, to)), weights(to));
  const all = b.add('Transpose', [sized(dense(norm(tokens), 16, 48), 17, 3, 2, 8)], {
    perm: [2, 0, 3, 1, 4],
  });
  const [q = '', k = '', v = ''] = b
    .add('Split', [all], { axis: 0, num_outputs: 3 }, 3)
    .map((part) => op('Squeeze', part, ints(0)));
  const half = number(8 ** -0.25);
  const keys = op('Mul', b.add('Transpose', [k], { perm: [0, 1, 3, 2] }), half);
  const attention = b.add('Softmax', [op('MatMul', op('Mul', q, half), keys)], { axis: -1 });
  const mixed = b.add('Transpose', [op('MatMul', attention, v)], { perm: [0, 2, 1, 3] });
  const sum = op('Add', tokens, dense(sized(mixed, 17, 16), 16, 16));
  const hidden = dense(norm(sum), 16, 32);
  const curve = op('Add', op('Erf', op('Div', hidden, number(Math.SQRT2))), number(1));
  return op('Add', sum, dense(op('Mul', op('Mul', number(0.5), hidden), curve), 32, 16));
}

function dynamoVit(b: GraphBuilder): void {
  const { op, ints, int, weights } = pen(b);
  const x = b.input('x', 'float32', ['s0', 3, 32, 32]);
  const batch = b.add('Shape', [x], { start: 0, end: 1 });
  const sized = (...sizes: number[]) => b.add('Concat', [batch, ints(...sizes)], { axis: 0 });
  const patches = op(
    'Reshape',
    b.add('Conv', [x, weights(16, 3, 8, 8)], square(8, 8)),
    sized(16, 16),
  );
  const grid = b.add('Transpose', [patches], { perm: [0, 2, 1] });
  const classToken = op('Expand', weights(1, 1, 16), sized(1, 16));
  const start = op('Add', b.add('Concat', [classToken, grid], { axis: 1 }), weights(1, 17, 16));
  const end = dynamoBlock(b, dynamoBlock(b, start, batch), batch);
  const picked = b.add('Gather', [end, int(0)], { axis: 1 });
  b.output(b.add('Gemm', [picked, weights(4, 16), weights(4)], { transB: 1 }), 'float32', [
    's0',
    4,
  ]);
}

/** A MobileNetV3 as tf2onnx writes it. */
function keras(b: GraphBuilder): void {
  const { op, number, weights, ones } = pen(b);
  const x = b.input('input_1', 'float32', ['unk__1', 48, 48, 3]);
  const scaled = op('Sub', op('Mul', x, number(1 / 127.5)), number(1));
  const clip = (y: string, high: number) => b.add('Clip', [y, number(0), number(high)]);
  const hardSwish = (y: string) =>
    op('Mul', y, op('Mul', clip(op('Add', y, number(3)), 6), number(1 / 6)));
  const same = { auto_pad: 'SAME_UPPER', strides: [2, 2], kernel_shape: [3, 3] };
  const moved = b.add('Transpose', [scaled], { perm: [0, 3, 1, 2] });
  const stem = b.add('Conv', [moved, weights(8, 3, 3, 3)], same);
  const norm = [weights(8), weights(8), weights(8), ones(8)];
  const first = hardSwish(b.add('BatchNormalization', [stem, ...norm], { epsilon: 1e-3 }));
  const second = hardSwish(b.add('Conv', [first, weights(8, 1, 3, 3)], { ...same, group: 8 }));
  const mean = b.add('ReduceMean', [second], { axes: [2, 3], keepdims: 1 });
  const squeezed = op('Relu', op('Conv', mean, weights(4, 8, 1, 1), weights(4)));
  const excited = op('Conv', squeezed, weights(8, 4, 1, 1), weights(8));
  const gate = clip(op('Add', op('Mul', excited, number(1 / 6)), number(0.5)), 1);
  const gated = b.add('Transpose', [op('Mul', second, gate)], { perm: [0, 2, 3, 1] });
  const pooled = b.add('ReduceMean', [gated], { axes: [1, 2], keepdims: 0 });
  const logits = op('Add', op('MatMul', pooled, weights(8, 6)), weights(6));
  b.output(b.add('Softmax', [logits], { axis: -1 }), 'float32', ['unk__1', 6]);
}

/** Everything open, biases beside the convolutions. */
function paddle(b: GraphBuilder): void {
  const { op, ints, weights } = pen(b);
  const x = b.input('x', 'float32', [null, 3, null, null]);
  const conv = (y: string, from: number, step: number) =>
    op(
      'Relu',
      op(
        'Add',
        b.add('Conv', [y, weights(8, from, 3, 3)], square(3, step, 1)),
        weights(1, 8, 1, 1),
      ),
    );
  const pooled = op('GlobalAveragePool', conv(conv(x, 3, 4), 8, 2));
  const flat = op('Reshape', pooled, ints(0, -1));
  const logits = op('Add', op('MatMul', flat, weights(8, 5)), weights(5));
  b.output(b.add('Softmax', [logits], { axis: -1 }), 'float32', [null, 5]);
}

/** One sigmoid at opset 8, with the batch size in a Reshape. */
function cntk(b: GraphBuilder): void {
  const { op, ints, weights, ones } = pen(b);
  const x = b.input('data', 'float32', [1, 1, 28, 28]);
  const conv = b.add('Conv', [x, weights(4, 1, 5, 5), weights(4)], square(5, 2, 2));
  const norm = [weights(4), weights(4), weights(4), ones(4)];
  const map = op('Relu', b.add('BatchNormalization', [conv, ...norm], { spatial: 1 }));
  const pooled = b.add('MaxPool', [map], square(2, 2));
  const flat = op('Reshape', b.add('Dropout', [pooled], { ratio: 0.5 }), ints(1, 196));
  const logit = op('Add', op('MatMul', flat, weights(196, 1)), weights(1, 1));
  b.output(op('Sigmoid', logit), 'float32', [1, 1]);
}

/** Half precision outside, and outputs beside the logits. */
function timm(b: GraphBuilder): void {
  const { op, weights } = pen(b);
  const x = b.add('Cast', [b.input('pixel_values', 'float16', ['n', 3, 32, 32])], { to: 1 });
  const map = b.add(
    'Relu',
    [b.add('Conv', [x, weights(8, 3, 3, 3)], square(3, 2, 1))],
    {},
    'features',
  );
  const pooled = b.add('Flatten', [op('GlobalAveragePool', map)], {}, 'embedding');
  const logits = b.add('Gemm', [pooled, weights(5, 8), weights(5)], { transB: 1 });
  b.add('Cast', [logits], { to: 10 }, 'logits');
  b.output('features', 'float32', ['n', 8, 16, 16]);
  b.output('embedding', 'float32', ['n', 8]);
  b.output('logits', 'float16', ['n', 5]);
}

/** Softmax and layer normalization in pieces, channels last, a batch of 1 in every Reshape. */
function jax(b: GraphBuilder): void {
  const { op, number, ints, weights } = pen(b);
  const x = b.add('Transpose', [b.input('a', 'float32', [1, 32, 32, 3])], { perm: [0, 3, 1, 2] });
  const patches = b.add('Conv', [x, weights(8, 3, 8, 8)], square(8, 8));
  const last = b.add('Transpose', [patches], { perm: [0, 2, 3, 1] });
  const tokens = op('Add', op('Reshape', last, ints(1, 16, 8)), weights(16, 8));
  const mean = (y: string) => b.add('ReduceMean', [y], { axes: [2], keepdims: 1 });
  const centred = op('Sub', tokens, mean(tokens));
  const variance = op('Add', mean(op('Mul', centred, centred)), number(1e-6));
  const normal = op('Mul', centred, op('Reciprocal', op('Sqrt', variance)));
  const norm = op('Add', op('Mul', normal, weights(8)), weights(8));
  const heads = (perm: number[]) => {
    const projected = op('Reshape', op('MatMul', norm, weights(8, 8)), ints(1, 16, 2, 4));
    return b.add('Transpose', [projected], { perm });
  };
  const scores = op('Mul', op('MatMul', heads([0, 2, 1, 3]), heads([0, 2, 3, 1])), number(0.5));
  const most = b.add('ReduceMax', [scores], { axes: [-1], keepdims: 1 });
  const e = op('Exp', op('Sub', scores, most));
  const attention = op('Div', e, b.add('ReduceSum', [e, ints(-1)], { keepdims: 1 }));
  const mixed = b.add('Transpose', [op('MatMul', attention, heads([0, 2, 1, 3]))], {
    perm: [0, 2, 1, 3],
  });
  const sum = op('Add', tokens, op('Reshape', mixed, ints(1, 16, 8)));
  const pooled = b.add('ReduceMean', [sum], { axes: [1], keepdims: 0 });
  b.output(op('Add', op('MatMul', pooled, weights(8, 4)), weights(4)), 'float32', [1, 4]);
}

async function load(opset: number, write: (b: GraphBuilder) => void): Promise<Model> {
  const b = graphBuilder({ opset });
  write(b);
  const preprocessing = { size: [64, 64] } as const;
  const bytes = writeModel(modelOf(b.finish()));
  const runtime = await createNodeRuntime({ threads: 1 });
  return createOnnxModel({ name: 'export', bytes, preprocessing }, runtime);
}

const BLACK_BOX = { occlusion: {}, rise: { N: 64 }, lime: { N: 64 } };
const WHITE_BOX = {
  gradient: {},
  'grad-cam': {},
  'ablation-cam': {},
  fullgrad: {},
  'deep-lift': {},
  lrp: {},
  iia: { steps: 2 },
};
const ATTENTION = { 'attention-rollout': {}, gae: {}, 't-attr': {} };
type Asked = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
const cnn: Asked = { ...BLACK_BOX, ...WHITE_BOX };
const vit: Asked = { ...cnn, ...ATTENTION };

describe.each([
  ['TorchScript', 11, torchScript, 5, cnn],
  ['dynamo', 18, dynamoVit, 4, vit],
  ['Keras', 13, keras, 6, cnn],
  ['Paddle', 11, paddle, 5, cnn],
  ['CNTK', 8, cntk, 2, cnn],
  ['timm', 17, timm, 5, cnn],
  ['JAX', 15, jax, 4, vit],
] as const)('a network as %s writes it', (_exporter, opset, write, classes, asked) => {
  const loaded = load(opset, write);
  it.each(Object.entries(asked))('is explained by %s', async (name, options) => {
    const model = await loaded;
    expect(model.labels).toHaveLength(classes);
    const { mean } = model.preprocessing;
    const [height, width] = model.preprocessing.size;
    const random = createRandom(3);
    const data = Float32Array.from({ length: mean.length * height * width }, () => random.normal());
    const picture = tensor([1, mean.length, height, width], data);
    const { map } = await explain(model, picture, { method: methods.get(name), options });
    const [low, high] = extent(map.data);
    expect(high - low).toBeGreaterThan(1e-9);
  });
});
