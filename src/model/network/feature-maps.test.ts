import { describe, expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { methods } from '../../methods/index.ts';
import { graphBuilder, modelOf, writeModel } from '../../onnx/index.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { createRandom } from '../../tensor/random.ts';
import { sizeOf, tensor } from '../../tensor/tensor.ts';
import { IMAGENET_PREPROCESSING } from '../input/preprocessing.ts';
import type { Model } from '../model.ts';
import { createOnnxModel } from '../onnx-model.ts';

const SIDE = 48;
const DIM = 8;
const HEADS = 2;
const runtime = await createNodeRuntime({ threads: 1 });
const random = createRandom(4);

type Builder = ReturnType<typeof graphBuilder>;

/** The operators of transformers, written out as exporters do. */
function layers(b: Builder) {
  const normal = (...shape: number[]) =>
    b.constant(
      Float32Array.from({ length: sizeOf(shape) }, () => random.normal() / 3),
      shape,
    );
  const ints = (...values: number[]) =>
    b.constant(BigInt64Array.from(values, BigInt), [values.length]);
  const linear = (x: string, from: number, to: number, name?: string) =>
    b.add('Add', [b.add('MatMul', [x, normal(from, to)]), normal(to)], {}, name);
  const norm = (x: string, name?: string) => {
    const centred = b.add('Sub', [x, b.add('ReduceMean', [x], { axes: [-1] })]);
    const variance = b.add('ReduceMean', [b.add('Mul', [centred, centred])], { axes: [-1] });
    const scaled = b.add('Div', [
      centred,
      b.add('Sqrt', [b.add('Add', [variance, b.constant(Float32Array.of(1e-5), [])])]),
    ]);
    return b.add('Add', [b.add('Mul', [scaled, normal(DIM)]), normal(DIM)], {}, name);
  };
  const block = (x: string, tokens: number, name: string) => {
    const y = norm(x, `${name}/norm1`);
    const heads = (perm: number[]) =>
      b.add(
        'Transpose',
        [b.add('Reshape', [linear(y, DIM, DIM), ints(0, tokens, HEADS, DIM / HEADS)])],
        { perm },
      );
    const [q, k, v] = [heads([0, 2, 1, 3]), heads([0, 2, 3, 1]), heads([0, 2, 1, 3])];
    const attention = b.add('Softmax', [b.add('MatMul', [q, k])], { axis: 3 }, `${name}/attention`);
    const mixed = b.add('Reshape', [
      b.add('Transpose', [b.add('MatMul', [attention, v])], { perm: [0, 2, 1, 3] }),
      ints(0, tokens, DIM),
    ]);
    const sum = b.add('Add', [x, linear(mixed, DIM, DIM)], {}, `${name}/sum`);
    return b.add(
      'Add',
      [sum, linear(b.add('Tanh', [linear(norm(sum), DIM, 4 * DIM)]), 4 * DIM, DIM)],
      {},
      `${name}/out`,
    );
  };
  const patches = (x: string) => {
    const conv = b.add(
      'Conv',
      [x, normal(DIM, 3, 8, 8)],
      { kernel_shape: [8, 8], strides: [8, 8] },
      'patches',
    );
    return b.add('Transpose', [b.add('Reshape', [conv, ints(0, DIM, 36)])], { perm: [0, 2, 1] });
  };
  return { normal, ints, linear, norm, block, patches };
}

async function load(
  build: (b: Builder, x: string, make: ReturnType<typeof layers>) => string,
): Promise<Model> {
  const b = graphBuilder({ opset: 13 });
  b.output(
    build(b, b.input('picture', 'float32', [1, 3, SIDE, SIDE]), layers(b)),
    'float32',
    [1, 5],
  );
  const preprocessing = { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] as const };
  return createOnnxModel(
    {
      name: 'net',
      bytes: writeModel(modelOf(b.finish())),
      labels: ['a', 'b', 'c', 'd', 'e'],
      preprocessing,
    },
    runtime,
  );
}

/**
 * Two blocks over 6 × 6 patches with `prefix` tokens before them; classifies from token 0, from
 * the mean of all, from token 0 and the mean of the patches, or from tokens 0 and 1.
 */
const vit = (prefix: number, pool: 'token' | 'mean' | 'token and patches' | 'two tokens') =>
  load((b, x, { patches, normal, block, norm, linear, ints }) => {
    const tokens = prefix + 36;
    let y = patches(x);
    if (prefix > 0) y = b.add('Concat', [normal(1, prefix, DIM), y], { axis: 1 });
    y = block(b.add('Add', [y, normal(1, tokens, DIM)]), tokens, 'block0');
    y = norm(block(y, tokens, 'block1'), 'norm');
    const mean = (of: string) =>
      linear(b.add('ReduceMean', [of], { axes: [1], keepdims: 0 }), DIM, 5);
    const token = (index: number) =>
      linear(
        b.add('Reshape', [b.add('Gather', [y, ints(index)], { axis: 1 }), ints(0, DIM)]),
        DIM,
        5,
      );
    if (pool === 'mean') return mean(y);
    if (pool === 'two tokens') return b.add('Add', [token(0), token(1)]);
    return pool === 'token'
      ? token(0)
      : b.add('Add', [token(0), mean(b.add('Slice', [y, ints(prefix), ints(tokens), ints(1)]))]);
  });

const picture = tensor(
  [1, 3, SIDE, SIDE],
  Float32Array.from({ length: 3 * SIDE * SIDE }, () => random.normal()),
);

describe('feature maps of transformers', () => {
  it.each([
    [1, 'token', 'block0/out'],
    [2, 'token', 'block0/out'],
    [5, 'token', 'block0/out'],
    [0, 'mean', 'norm'],
    [5, 'mean', 'norm'],
  ] as const)(
    'with %i prefix tokens, classifying from the %s, end at %s, the last with live patches',
    async (prefix, pool, name) => {
      const model = await vit(prefix, pool);
      expect(model.inside?.featureMaps()).toEqual([
        { name, layout: 'tokens', channels: DIM, height: 6, width: 6, prefix },
      ]);
      const { layers: found = [] } = await explain(model, picture, { method: 'grad-cam' });
      expect(found[0].layer).toBe(name);
      expect(Math.max(...found[0].map.data.map(Math.abs))).toBeGreaterThan(1e-6);
      // What comes after it runs on its own.
      const cut = await explain(model, picture, { method: 'recipro-cam' });
      expect(cut.layers?.[0].map.shape).toEqual([6, 6]);
    },
  );

  it('exclude attention, queries, keys and steps within a block', async () => {
    const model = await vit(1, 'token');
    const names = model.inside?.featureMaps().map((map) => map.name);
    for (const name of [
      'block0/attention',
      'block1/attention',
      'block1/norm1',
      'block1/out',
      'norm',
    ])
      expect(names).not.toContain(name);
  });

  it('of a hierarchy are found at each of its resolutions', async () => {
    const model = await load((b, x, { patches, ints, linear, block, norm }) => {
      const y = block(patches(x), 36, 'fine');
      const grid = b.add('Transpose', [b.add('Reshape', [y, ints(0, 3, 2, 3, 2, DIM)])], {
        perm: [0, 1, 3, 2, 4, 5],
      });
      const merged = linear(b.add('Reshape', [grid, ints(0, 9, 4 * DIM)]), 4 * DIM, DIM);
      const z = norm(block(merged, 9, 'coarse'), 'norm');
      return linear(b.add('ReduceMean', [z], { axes: [1], keepdims: 0 }), DIM, 5);
    });
    expect(model.inside?.featureMaps()).toEqual([
      { name: 'fine/out', layout: 'tokens', channels: DIM, height: 6, width: 6, prefix: 0 },
      { name: 'norm', layout: 'tokens', channels: DIM, height: 3, width: 3, prefix: 0 },
    ]);
  });

  it('may hold their channels last', async () => {
    const model = await load((b, x, { normal, norm, linear }) => {
      const conv = b.add(
        'Conv',
        [x, normal(DIM, 3, 8, 8)],
        { kernel_shape: [8, 8], strides: [8, 8] },
        'patches',
      );
      const last = b.add('Transpose', [conv], { perm: [0, 2, 3, 1] });
      const y = norm(b.add('Add', [last, linear(norm(last), DIM, DIM)]), 'norm');
      return linear(b.add('ReduceMean', [y], { axes: [1, 2], keepdims: 0 }), DIM, 5);
    });
    expect(model.inside?.featureMaps()).toEqual([
      { name: 'norm', layout: 'channels-last', channels: DIM, height: 6, width: 6, prefix: 0 },
    ]);
    const byCells = await explain(model, picture, { method: 'hires-cam', target: 2 });
    const { gradients = [], values = [] } =
      (await model.inside?.gradients({ batch: picture, wrt: ['norm'], targets: [2] })) ?? {};
    const expected = Array.from({ length: 36 }, (_, i) => {
      let sum = 0;
      for (let c = 0; c < DIM; c++)
        sum += gradients[0].data[i * DIM + c] * values[0].data[i * DIM + c];
      return sum;
    });
    byCells.layers?.[0].map.data.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
  });
});

it.each(['recipro-cam', 'lift-cam', 'ablation-cam', 'iia'])(
  '%s says where a network goes past a layer, and names those it goes through',
  async (method) => {
    const model = await vit(1, 'token');
    await expect(
      explain(model, picture, { method: methods.get(method), options: { layer: 'block0/sum' } }),
    ).resolves.toBeDefined();
    await expect(
      explain(model, picture, { method: methods.get(method), options: { layer: 'block1/norm1' } }),
    ).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(
        /by a path that does not .* "block1\/norm1"; .* are block0\/out \(tokens, 8×6×6\)/,
      ),
    });
  },
);

it('iia takes the last feature map of a CNN with attention in its middle', async () => {
  const model = await load((b, x, { patches, block, ints, normal, linear }) => {
    const grid = b.add('Reshape', [
      b.add('Transpose', [block(patches(x), 36, 'block')], { perm: [0, 2, 1] }),
      ints(0, DIM, 6, 6),
    ]);
    const conv = b.add(
      'Relu',
      [b.add('Conv', [grid, normal(DIM, DIM, 3, 3)], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })],
      {},
      'conv',
    );
    return linear(b.add('Flatten', [b.add('GlobalAveragePool', [conv])]), DIM, 5);
  });
  expect(model.inside?.attentionMaps()).toHaveLength(1);
  const { layers = [] } = await explain(model, picture, { method: 'iia', options: { steps: 2 } });
  expect(layers[0].layer).toBe('conv');
});

describe('the rows of attention that are read', () => {
  const GRID = 36;
  /** (A_2 + I) (A_1 + I) / 4 of the heads' means, which is the formula of attention rollout. */
  async function rollout(model: Model): Promise<{ product: number[][]; tokens: number }> {
    const maps = model.inside?.attentionMaps() ?? [];
    const tokens = maps[0].keys;
    const values =
      (await model.inside?.activations(
        maps.map(({ name }) => name),
        picture,
      )) ?? [];
    const halves = values.map(({ data }) =>
      Array.from({ length: tokens }, (_, i) =>
        Array.from(
          { length: tokens },
          (__, j) =>
            (data[i * tokens + j] + data[(tokens + i) * tokens + j]) / 4 + (i === j ? 0.5 : 0),
        ),
      ),
    );
    const [first, second] = halves;
    return {
      product: second.map((row) =>
        first[0].map((_, j) => row.reduce((sum, value, k) => sum + value * first[k][j], 0)),
      ),
      tokens,
    };
  }

  it.each([
    [1, 'token', { patches: false, picked: [0] }, [[0, 1]]],
    [0, 'mean', { patches: true, picked: [] }, []],
    [5, 'mean', { patches: true, picked: [] }, []],
    [1, 'token and patches', { patches: true, picked: [0] }, [[0, 0.5]]],
    [
      2,
      'two tokens',
      { patches: false, picked: [0, 1] },
      [
        [0, 0.5],
        [1, 0.5],
      ],
    ],
  ] as const)(
    'with %i prefix tokens, classifying from the %s, tell the tokens that it classifies from',
    async (prefix, pool, readBy, weights) => {
      const model = await vit(prefix, pool);
      expect(model.inside?.attentionMaps().at(-1)?.readBy).toEqual(readBy);
      const { product, tokens } = await rollout(model);
      const ofPatches = (1 - weights.reduce((sum, [, weight]) => sum + weight, 0)) / GRID;
      const expected = Array.from({ length: tokens }, (_, j) => {
        const single = weights.reduce((sum, [i, weight]) => sum + weight * product[i][j], 0);
        return single + product.slice(prefix).reduce((sum, row) => sum + ofPatches * row[j], 0);
      });
      const { layers = [], manifest } = await explain(model, picture, {
        method: 'attention-rollout',
      });
      layers[0].map.data.forEach((value, i) => expect(value).toBeCloseTo(expected[prefix + i], 5));
      expect(manifest.extras.readBy).toEqual(readBy);
    },
  );
});
