import { loadGradientModel } from '../../autodiff/index.ts';
import { FoveaError } from '../../errors.ts';
import {
  dataInputs,
  type GraphBuilder,
  graphBuilder,
  modelOf,
  type OnnxModel,
  writeModel,
} from '../../onnx/index.ts';
import type { RuntimeTensor } from '../../runtime/runtime.ts';
import { createRandom } from '../../tensor/random.ts';
import { sizeOf } from '../../tensor/tensor.ts';

/** A small graph that some graphics driver or runtime has computed wrong. */
export interface TestGraph {
  readonly name: string;
  /** The model file, and what goes into it; made when they are needed. */
  make(): Promise<{ bytes: Uint8Array; feeds: Readonly<Record<string, RuntimeTensor>> }>;
}

/** Adds nodes that compute a tensor from `x`; `weight` makes a constant of random numbers. */
type Build = (builder: GraphBuilder, x: string, weight: (...shape: number[]) => string) => string;

const OPSET = 17;

/** Random numbers of a shape, the same on every machine. */
const randomTensor = (name: string, shape: readonly number[]): RuntimeTensor => {
  const random = createRandom(0).fork(name);
  const data = Float32Array.from({ length: sizeOf(shape) }, () => random.normal());
  return { type: 'float32', shape, data };
};

/** The graph from `x` to `y`. */
function forwardModel(shape: readonly number[], build: Build): OnnxModel {
  const builder = graphBuilder({ opset: OPSET, name: 'test' });
  const x = builder.input('x', 'float32', shape);
  let weights = 0;
  const y = build(builder, x, (...dims) => {
    const name = `w${weights++}`;
    return builder.constant(randomTensor(name, dims).data, dims, 'float32', name);
  });
  builder.add('Identity', [y], {}, 'y');
  builder.output('y', 'float32');
  return modelOf(builder.finish());
}

function feedsOf({ graph }: OnnxModel): Record<string, RuntimeTensor> {
  return Object.fromEntries(
    dataInputs(graph).map(({ name, shape }) => {
      const sizes = (shape ?? []).map((size) => {
        if (typeof size === 'number') return size;
        throw new FoveaError('internal', `the size ${size} of ${name} in a test graph is unknown`);
      });
      return [name, randomTensor(name, sizes)];
    }),
  );
}

const fileOf = (model: OnnxModel) => ({ bytes: writeModel(model), feeds: feedsOf(model) });

const forward = (name: string, shape: readonly number[], build: Build): TestGraph => ({
  name,
  make: async () => fileOf(forwardModel(shape, build)),
});

/** The gradient of the graph by its input, and what the graph computes. */
const backward = (name: string, shape: readonly number[], build: Build): TestGraph => ({
  name: `${name} backward`,
  async make() {
    const model = forwardModel(shape, build);
    const options = { of: 'y', wrt: ['x'], outputs: ['y'] };
    return fileOf((await loadGradientModel(model, options)).model);
  },
});

/** A convolution of 3 × 3. */
const conv =
  (weights: readonly number[], attributes: Parameters<GraphBuilder['add']>[2]): Build =>
  (builder, x, weight) =>
    builder.add('Conv', [x, weight(...weights)], { kernel_shape: [3, 3], ...attributes });

/** A transposed convolution that doubles the resolution, in two groups. */
const convTranspose =
  (channels: number): Build =>
  (builder, x, weight) =>
    builder.add('ConvTranspose', [x, weight(2 * channels, 3, 3, 3)], {
      kernel_shape: [3, 3],
      strides: [2, 2],
      pads: [1, 1, 1, 1],
      output_padding: [1, 1],
      group: 2,
    });

const pool =
  (opType: 'MaxPool' | 'AveragePool'): Build =>
  (builder, x) =>
    builder.add(opType, [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });

const STRIDE = { strides: [2, 2] };

/** What goes wrong on some devices, each with the smallest graph that shows it. */
export const testGraphs: readonly TestGraph[] = [
  forward(
    'Conv with SAME_UPPER padding and stride',
    [1, 3, 14, 14],
    conv([8, 3, 3, 3], { auto_pad: 'SAME_UPPER', ...STRIDE }),
  ),
  forward(
    'Conv with SAME_LOWER padding and stride',
    [1, 3, 14, 14],
    conv([8, 3, 3, 3], { auto_pad: 'SAME_LOWER', ...STRIDE }),
  ),
  forward(
    'depthwise Conv',
    [1, 8, 14, 14],
    conv([8, 1, 3, 3], { group: 8, pads: [0, 0, 1, 1], ...STRIDE }),
  ),
  forward(
    'Conv with 5 channels per group',
    [1, 10, 9, 9],
    conv([6, 5, 3, 3], { group: 2, pads: [1, 1, 1, 1] }),
  ),
  forward('ConvTranspose with 5 channels per group', [1, 10, 5, 5], convTranspose(5)),
  forward('ConvTranspose with 7 channels per group', [1, 14, 5, 5], convTranspose(7)),
  forward('a batch of 3', [3, 3, 12, 12], (builder, x, weight) => {
    const features = builder.add('Conv', [x, weight(6, 3, 3, 3)], { kernel_shape: [3, 3] });
    const means = builder.add('GlobalAveragePool', [builder.add('Relu', [features])]);
    const rows = builder.add('Flatten', [means]);
    return builder.add('Gemm', [rows, weight(5, 6), weight(5)], { transB: 1 });
  }),
  forward('MatMul of many matrices', [2, 3, 5, 7], (builder, x, weight) =>
    builder.add('MatMul', [x, weight(2, 3, 7, 5)]),
  ),
  forward('Resize', [1, 2, 5, 5], (builder, x) =>
    builder.add('Resize', [x, '', builder.constant([1, 1, 2, 2])], { mode: 'linear' }),
  ),
  forward('activations', [3, 41], (builder, x) => {
    const bounded = builder.add('Clip', [x, builder.constant(-1), builder.constant(1.5)]);
    const gate = builder.add('Mul', [builder.add('Sigmoid', [x]), builder.add('Tanh', [x])]);
    return builder.add('Add', [builder.add('Add', [bounded, gate]), builder.add('Erf', [x])]);
  }),
  backward('Conv', [3, 3, 13, 13], conv([7, 3, 3, 3], { pads: [1, 1, 1, 1], ...STRIDE })),
  backward(
    'depthwise Conv',
    [1, 5, 14, 14],
    conv([5, 1, 3, 3], { group: 5, pads: [1, 1, 1, 1], ...STRIDE }),
  ),
  backward('LayerNormalization', [2, 5, 24], (builder, x, weight) =>
    builder.add('LayerNormalization', [x, weight(24), weight(24)], { axis: -1 }),
  ),
  backward('Softmax', [2, 3, 7, 7], (builder, x) => builder.add('Softmax', [x], { axis: -1 })),
  backward('MaxPool', [2, 3, 13, 13], pool('MaxPool')),
  backward('AveragePool', [2, 3, 13, 13], pool('AveragePool')),
];
