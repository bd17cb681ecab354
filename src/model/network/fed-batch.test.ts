import { expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { methods } from '../../methods/index.ts';
import { type GraphBuilder, graphBuilder, modelOf, writeModel } from '../../onnx/index.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { createRandom } from '../../tensor/random.ts';
import { sizeOf, type Tensor, tensor } from '../../tensor/tensor.ts';
import { INPUT, type Model } from '../model.ts';
import { createOnnxModel } from '../onnx-model.ts';

const [SIDE, PATCH, WIDTH, CLASSES] = [16, 4, 6, 3];
const random = createRandom(3);
const normal = (...shape: number[]) =>
  tensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
const [kernel, token, weights] = [
  normal(WIDTH, 3, PATCH, PATCH),
  normal(1, 1, WIDTH),
  normal(WIDTH, CLASSES),
];

/** How exporters read the batch size from the picture x, as a list of one number. */
const READERS: Readonly<Record<string, (b: GraphBuilder, x: string) => string>> = {
  'a Gather of a list': (b, x) =>
    b.add('Gather', [b.add('Shape', [x]), b.constant([0], [1], 'int64')], { axis: 0 }),
  'a Gather of a number': (b, x) => {
    const size = b.add('Gather', [b.add('Shape', [x]), b.constant([0], [], 'int64')], { axis: 0 });
    return b.add('Unsqueeze', [size, b.constant([0], [1], 'int64')]);
  },
  'a Slice': (b, x) => {
    const ints = [0, 1, 0].map((value) => b.constant([value], [1], 'int64'));
    return b.add('Slice', [b.add('Shape', [x]), ...ints]);
  },
};

/**
 * Patches as tokens, a class token in front of them that is repeated for each picture, the mean of
 * all tokens after a ReLU, logits.
 */
async function load(size: string | number, batchOf: (typeof READERS)[string]): Promise<Model> {
  const b = graphBuilder({ opset: 13 });
  const weight = ({ data, shape }: Tensor) => b.constant(data, shape);
  const x = b.input('x', 'float32', [size, 3, SIDE, SIDE]);
  const patches = b.add('Conv', [x, weight(kernel)], { strides: [PATCH, PATCH] }, 'patches');
  const flat = b.add('Reshape', [patches, b.constant([0, WIDTH, -1], [3], 'int64')]);
  const tokens = b.add('Transpose', [flat], { perm: [0, 2, 1] });
  const shape = b.add('Concat', [batchOf(b, x), b.constant([1, WIDTH], [2], 'int64')], { axis: 0 });
  const first = b.add('Expand', [weight(token), shape]);
  const all = b.add('Relu', [b.add('Concat', [first, tokens], { axis: 1 })]);
  const mean = b.add('ReduceMean', [all], { axes: [1], keepdims: 0 });
  b.output(b.add('MatMul', [mean, weight(weights)]), 'float32', [size, CLASSES]);
  const bytes = writeModel(modelOf(b.finish()));
  const preprocessing = { mean: [0, 0, 0], std: [1, 1, 1] };
  const source = { name: 'tokens', bytes, labels: ['a', 'b', 'c'], preprocessing };
  return createOnnxModel(source, await createNodeRuntime({ threads: 1 }));
}

const picture = normal(1, 3, SIDE, SIDE);

it.each(Object.entries(READERS))('reads the batch size by %s at the cut', async (_, batchOf) => {
  const model = await load('n', batchOf);
  const batch = normal(3, 3, SIDE, SIDE);
  const request = { wrt: ['patches'], targets: [1], score: 'logit' } as const;
  const whole = await model.inside?.gradients({ ...request, batch });
  const [patches] = (await model.inside?.activations(['patches'], batch)) ?? [];
  expect(patches?.shape).toEqual([3, WIDTH, SIDE / PATCH, SIDE / PATCH]);
  const cut = await model.inside?.gradients({
    ...request,
    wrt: [INPUT],
    batch: patches,
    at: 'patches',
  });
  expect(cut?.gradients[0]).toBeAllClose(whole?.gradients[0] as Tensor);
  expect(cut?.scores).toBeAllClose(whole?.scores as Tensor);
});

it.each(['iia', 'ablation-cam', 'recipro-cam'])(
  '%s explains it as the network with a batch of one',
  async (name) => {
    const request = { method: methods.get(name), target: 1, options: { layer: 'patches' } };
    const maps = [];
    for (const size of ['n', 1]) {
      const model = await load(size, READERS['a Slice']);
      maps.push((await explain(model, picture, request)).map);
    }
    expect(maps[0]).toBeAllClose(maps[1] as Tensor, { atol: 1e-5 });
  },
);
