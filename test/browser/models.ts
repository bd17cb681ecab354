import { graphBuilder, modelOf, writeModel } from '../../src/onnx/index.ts';

const PICTURE = ['n', 3, 64, 64];

/** A detector: boxes and their scores. */
export function detector(): Uint8Array {
  const builder = graphBuilder({ opset: 13 });
  const x = builder.input('x', 'float32', PICTURE);
  const rows = builder.add('Reshape', [x, builder.constant(BigInt64Array.of(0n, -1n, 64n))]);
  const weight = (columns: number) =>
    builder.constant(new Float32Array(64 * columns).fill(0.1), [64, columns]);
  builder.add('MatMul', [rows, weight(4)], {}, 'boxes');
  builder.add('Sigmoid', [builder.add('MatMul', [rows, weight(80)])], {}, 'scores');
  builder.output('boxes', 'float32', ['n', 192, 4]);
  builder.output('scores', 'float32', ['n', 192, 80]);
  return writeModel(modelOf(builder.finish()));
}

/** A classifier of 200 MB, nearly all of it in one matrix. */
export function largeModel(): Uint8Array {
  const builder = graphBuilder({ opset: 13 });
  const x = builder.input('x', 'float32', PICTURE);
  const kernel = builder.constant(new Float32Array(8 * 27).fill(0.1), [8, 3, 3, 3]);
  const conv = builder.add('Conv', [x, kernel], { strides: [4, 4], pads: [1, 1, 1, 1] });
  const pixels = builder.add('Flatten', [builder.add('Relu', [conv])]);
  const matrix = new Float32Array(2048 * 24_576);
  for (let i = 0; i < matrix.length; i += 97) matrix[i] = 0.01;
  const weights = builder.initializer({
    name: 'weights',
    type: 'float32',
    dims: [2048, 24_576],
    data: { kind: 'raw', bytes: new Uint8Array(matrix.buffer) }, // as it lies in a file
    otherFields: [],
  });
  const hidden = builder.add('MatMul', [pixels, weights]);
  const last = Float32Array.from({ length: 24_576 * 3 }, (_, i) => (i % 3 === 1 ? 0.001 : -0.001));
  builder.add('MatMul', [hidden, builder.constant(last, [24_576, 3])], {}, 'y');
  builder.output('y', 'float32', ['n', 3]);
  return writeModel(modelOf(builder.finish()));
}
