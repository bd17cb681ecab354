import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upsamplingMatrix } from '../image/upsampling.ts';
import {
  type DataType,
  type Graph,
  type GraphBuilder,
  graphBuilder,
  modelOf,
  writeModel,
} from '../onnx/index.ts';
import { createNodeRuntime } from '../runtime/onnxruntime-node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import type { Model } from './model.ts';
import { createOnnxModel, type OnnxModelSource } from './onnx-model.ts';
import type { Perturbation } from './perturbation.ts';
import { renderPerturbation } from './render-perturbation.ts';

const SIDE = 12;
const CLASSES = 4;

interface Net {
  opset?: number;
  type?: DataType;
  batch?: number | string;
  channels?: number;
  layout?: 'NCHW' | 'NHWC';
  end?: (b: GraphBuilder, logits: string) => string;
  size?: number | string;
}

/**
 * Conv, Relu, global pooling, Reshape with a baked-in batch if it is fixed, Gemm: logits [n, 4].
 */
function net({
  opset = 13,
  type = 'float32',
  batch = 'n',
  channels = 3,
  layout = 'NCHW',
  end,
  size = SIDE,
}: Net = {}): Graph {
  const random = createRandom(7);
  const weights = (shape: number[]) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal());
  const b = graphBuilder({ opset });
  const cast = (x: string, to: number) => (type === 'float32' ? x : b.add('Cast', [x], { to }));
  const input = b.input(
    'picture',
    type,
    layout === 'NCHW' ? [batch, channels, size, size] : [batch, size, size, channels],
  );
  const placed = layout === 'NCHW' ? input : b.add('Transpose', [input], { perm: [0, 3, 1, 2] });
  const conv = b.add(
    'Conv',
    [cast(placed, 1), b.constant(weights([6, channels, 3, 3]), [6, channels, 3, 3])],
    { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
  );
  const pooled = b.add('GlobalAveragePool', [b.add('Relu', [conv], {}, 'features')]);
  const flat = b.add('Reshape', [
    pooled,
    b.constant([typeof batch === 'number' ? batch : -1, 6], [2], 'int64'),
  ]);
  const logits = b.add('Gemm', [
    flat,
    b.constant(weights([6, CLASSES]), [6, CLASSES]),
    b.constant(weights([CLASSES]), [CLASSES]),
  ]);
  const scores = cast(
    end ? end(b, logits) : logits,
    type === 'float16' ? 10 : type === 'float64' ? 11 : 1,
  );
  b.output(scores, type === 'uint8' ? 'float32' : type, [batch, CLASSES]);
  return b.finish();
}

let runtime: Runtime;
const models: Model[] = [];
async function load(graph: Graph, extra: Partial<OnnxModelSource> = {}): Promise<Model> {
  const model = await createOnnxModel(
    { name: 'net', bytes: writeModel(modelOf(graph)), ...extra },
    runtime,
  );
  models.push(model);
  return model;
}

beforeAll(async () => {
  runtime = await createNodeRuntime({ device: 'cpu' });
});
afterAll(async () => {
  for (const model of models) await model.dispose();
});

const picture = (channels = 3): Tensor => {
  const random = createRandom(11);
  return tensor(
    [1, channels, SIDE, SIDE],
    Float32Array.from({ length: channels * SIDE * SIDE }, () => random.normal()),
  );
};

function perturbations(): Perturbation[] {
  const random = createRandom(3);
  const many = (length: number, f: () => number) => Array.from({ length }, f);
  const windows = Int32Array.from(
    many(5, () => 0).flatMap(() => [
      random.integer(9) - 2,
      random.integer(9) - 2,
      random.integer(6) + 6,
      random.integer(9) + 6,
    ]),
  );
  const ranks = Int32Array.from({ length: SIDE * SIDE }, (_, i) => (i * 37) % (SIDE * SIDE));
  return [
    { kind: 'windows', windows, keep: 'outside' },
    { kind: 'windows', windows, keep: 'inside' },
    {
      kind: 'grids',
      grids: tensor([5, 3, 3], Float32Array.from(many(45, random.uniform))),
      rows: upsamplingMatrix('reflect', 3, 16),
      columns: upsamplingMatrix('align-corners', 3, 14),
      shifts: Int32Array.from([0, 0, 4, 2, 1, 1, 3, 0, 2, 2]),
    },
    {
      kind: 'segments',
      labels: Int32Array.from({ length: 144 }, (_, i) => i % 5),
      bits: tensor([5, 5], Float32Array.from(many(25, random.uniform))),
    },
    { kind: 'ranks', ranks, bounds: Int32Array.from([0, 10, 10, 144, 0, 144, 5, 5, 70, 71]) },
    {
      kind: 'masks',
      masks: tensor([5, SIDE, SIDE], Float32Array.from(many(5 * SIDE * SIDE, random.uniform))),
    },
  ];
}

const baselines = (channels: number): Tensor[] => [
  tensor([1, channels, 1, 1], new Float32Array(channels).fill(0.3)),
  tensor(
    [1, channels, SIDE, SIDE],
    picture(channels).data.map((x) => x / 2),
  ),
];

async function expectFusedEqualsRendered(
  model: Model,
  channels = 3,
  tolerance = 1e-5,
): Promise<void> {
  const input = picture(channels);
  for (const perturbation of perturbations()) {
    for (const baseline of baselines(channels)) {
      for (const score of ['logit', 'probability'] as const) {
        const fused = await model.perturb({
          input,
          baseline,
          perturbation,
          targets: [2, 0],
          score,
          batchSize: 2,
        });
        const all = await model.classify(renderPerturbation(input, baseline, perturbation), {
          score,
        });
        expect(fused.shape).toEqual([5, 2]);
        fused.data.forEach((value, i) =>
          expect(
            Math.abs(value - all.data[Math.floor(i / 2) * CLASSES + [2, 0][i % 2]]),
          ).toBeLessThan(tolerance),
        );
      }
    }
  }
}

describe('perturb', () => {
  it.each<[string, Net, number?]>([
    ['NCHW', {}],
    ['opset 9', { opset: 9 }],
    ['opset 18', { opset: 18 }],
    ['NHWC', { layout: 'NHWC' }],
    ['one channel', { channels: 1 }],
    ['fixed batch of 1', { batch: 1 }],
    ['float64', { type: 'float64' }],
    ['float16', { type: 'float16' }, 2e-3],
  ])(
    'inside the graph equals pictures rendered in JavaScript: %s',
    async (_, options, tolerance) => {
      await expectFusedEqualsRendered(await load(net(options)), options.channels ?? 3, tolerance);
    },
  );

  it('falls back to JavaScript where the opset has no operators for it', async () => {
    await expectFusedEqualsRendered(await load(net({ opset: 8 })));
  });

  it('returns the same for every batch size', async () => {
    const model = await load(net());
    const [perturbation] = perturbations();
    const run = async (batchSize: number) => [
      ...(
        await model.perturb({
          input: picture(),
          baseline: baselines(3)[0],
          perturbation,
          targets: [1],
          batchSize,
        })
      ).data,
    ];
    const one = await run(1);
    for (const batchSize of [2, 3, 64])
      (await run(batchSize)).forEach((value, i) => expect(value).toBeCloseTo(one[i], 6));
  });
});

describe('the batch', () => {
  const two = () =>
    tensor(
      [2, 3, SIDE, SIDE],
      Float32Array.from([...picture().data, ...picture().data.map((x) => -x)]),
    );

  it.each([1, 2, 4])(
    'of a model exported for %i is opened or filled up: scores equal those of the dynamic model',
    async (batch) => {
      const expected = (await (await load(net())).classify(two())).data;
      const actual = (await (await load(net({ batch }))).classify(two())).data;
      actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 6));
    },
  );

  it('stays 1 where the graph mixes pictures of a batch', async () => {
    // Normalises over the whole batch: opening the batch would change the scores.
    const mixing = net({
      batch: 1,
      end: (b, logits) =>
        b.add('Sub', [logits, b.add('ReduceMean', [logits], { axes: [0, 1], keepdims: 1 })]),
    });
    const model = await load(mixing);
    const both = (await model.classify(two())).data;
    const first = (await model.classify(picture())).data;
    first.forEach((value, i) => expect(both[i]).toBeCloseTo(value, 6));
  });
});

describe('the scores', () => {
  const softmax = (b: GraphBuilder, x: string) => b.add('Softmax', [x], { axis: 1 });

  it('are logits unless a softmax ends the graph; then both kinds are to be had', async () => {
    const plain = await load(net());
    const ended = await load(net({ end: softmax }));
    expect([plain.output, ended.output]).toEqual(['logits', 'probabilities']);
    for (const score of ['logit', 'probability'] as const) {
      const [a, b] = [
        await plain.classify(picture(), { score }),
        await ended.classify(picture(), { score }),
      ];
      a.data.forEach((value, i) => expect(b.data[i]).toBeCloseTo(value, 5));
    }
  });

  it('count as probabilities where a softmax is written out in other operators', async () => {
    const spelled = await load(
      net({
        end: (b, x) =>
          b.add('Div', [
            b.add('Exp', [x]),
            b.add('ReduceSum', [b.add('Exp', [x]), b.constant([1], [1], 'int64')], { keepdims: 1 }),
          ]),
      }),
    );
    expect(spelled.output).toBe('probabilities');
    await expect(spelled.classify(picture(), { score: 'logit' })).rejects.toMatchObject({
      code: 'unsupported',
    });
    const expected = await (await load(net())).classify(picture());
    (await spelled.classify(picture())).data.forEach((value, i) =>
      expect(value).toBeCloseTo(expected.data[i], 5),
    );
  });

  it('of a sigmoid head are independent probabilities', async () => {
    const model = await load(net({ end: (b, x) => b.add('Sigmoid', [x]) }));
    const logits = await model.classify(picture(), { score: 'logit' });
    expect(model.output).toBe('probabilities');
    (await model.classify(picture())).data.forEach((p, i) =>
      expect(p).toBeCloseTo(1 / (1 + Math.exp(-logits.data[i])), 5),
    );
  });

  it('can be declared by the caller', async () => {
    const model = await load(net({ end: softmax }), { output: 'logits' });
    const twice = await model.classify(picture());
    expect(model.output).toBe('logits');
    expect(Math.max(...twice.data)).toBeLessThan(0.48); // softmax of a softmax of four classes
  });

  it('must be finite', async () => {
    const bad = load(
      net({
        end: (b, x) =>
          b.add('Log', [
            b.add('Sub', [x, b.add('Add', [b.add('Abs', [x]), b.constant([1], [1])])]),
          ]),
      }),
    );
    await expect(bad.then((model) => model.classify(picture()))).rejects.toThrow(/NaN or infinite/);
  });
});

describe('inner tensors', () => {
  it('of a half-precision network come out as float32', async () => {
    const half = (b: GraphBuilder, values: Float32Array, shape: number[]) =>
      b.add('Cast', [b.constant(values, shape)], { to: 10 });
    const b = graphBuilder({ opset: 13 });
    const random = createRandom(5);
    const weights = Float32Array.from({ length: 18 }, () => random.normal());
    const conv = b.add(
      'Conv',
      [b.input('picture', 'float16', ['n', 3, SIDE, SIDE]), half(b, weights, [6, 3, 1, 1])],
      {
        kernel_shape: [1, 1],
        strides: [2, 2],
      },
    );
    const features = b.add('Relu', [conv], {}, 'features');
    const pooled = b.add('Flatten', [b.add('GlobalAveragePool', [features])]);
    b.output(pooled, 'float16', ['n', 6]);
    const model = await load(b.finish());
    expect(model.inside?.featureMaps().map((map) => map.name)).toContain('features');
    const input = picture();
    const [values] = (await model.inside?.activations(['features'], input)) ?? [];
    const [side, area] = [SIDE / 2, SIDE * SIDE];
    expect(values.shape).toEqual([1, 6, side, side]);
    for (const [k, i] of [
      [0, 0],
      [3, 17],
      [5, side ** 2 - 1],
    ]) {
      // The convolution steps by two.
      const pixel = 2 * Math.floor(i / side) * SIDE + 2 * (i % side);
      const expected = Math.max(
        0,
        [0, 1, 2].reduce((sum, c) => sum + weights[3 * k + c] * input.data[c * area + pixel], 0),
      );
      expect(values.data[k * side ** 2 + i]).toBeCloseTo(expected, 1);
    }
  });
});

describe('calls at the same time', () => {
  it('all return scores, even if there are more kinds than cached sessions', async () => {
    const model = await load(net());
    const input = picture();
    const ask = () => {
      const perturbed = perturbations().map(
        (perturbation) => () =>
          model.perturb({ input, baseline: baselines(3)[0], perturbation, targets: [1] }),
      );
      const calls = [
        ...perturbed,
        () => model.classify(input),
        () => model.classify(input, { score: 'logit' }),
        async () => (await model.inside?.activations(['features'], input))?.[0],
      ];
      return calls;
    };
    const alone: unknown[] = [];
    for (const call of ask()) alone.push(await call());
    expect(alone.length).toBeGreaterThan(5);
    for (let round = 0; round < 2; round++)
      expect(await Promise.all(ask().map((call) => call()))).toEqual(alone);
  });
});

describe('what is missing', () => {
  it('is assumed and said: labels and preprocessing', async () => {
    const model = await load(net());
    expect(model.labels).toEqual(['0', '1', '2', '3']);
    expect(model.preprocessing.mean).toEqual([0.485, 0.456, 0.406]);
    expect(model.warnings).toHaveLength(2);
    const known = await load(net(), {
      labels: ['a', 'b', 'c', 'd'],
      preprocessing: { mean: [0], std: [1] },
    });
    expect(known.warnings).toEqual([]);
  });

  it('is asked for where it does not fit', async () => {
    await expect(load(net(), { labels: ['a'] })).rejects.toThrow(/4 classes, but 1 labels/);
    await expect(load(net({ channels: 1 }), { preprocessing: { colour: 'RGB' } })).rejects.toThrow(
      /takes 1 channels/,
    );
  });

  it('takes an open size from the preprocessing', async () => {
    const model = await load(net({ size: 'side' }), { preprocessing: { size: [20, 16] } });
    expect(model.preprocessing.size).toEqual([20, 16]);
  });

  it('written for another size than the graph takes keeps its crop, and says so', async () => {
    const [labels, mean, std] = [
      ['a', 'b', 'c', 'd'],
      [0, 0, 0],
      [1, 1, 1],
    ];
    const model = await load(net(), {
      labels,
      preprocessing: {
        mean,
        std,
        size: [2 * SIDE, 2 * SIDE],
        resize: 'crop',
        shorterSide: 2 * SIDE + 8,
      },
    });
    expect([model.preprocessing.size, model.preprocessing.shorterSide]).toEqual([
      [SIDE, SIDE],
      SIDE + 4,
    ]);
    expect(model.warnings).toHaveLength(1);
    expect(model.warnings[0]).toMatch(/written for 24×24, but the graph takes 12×12/);
    const deit = await load(net(), {
      labels,
      preprocessing: {
        mean,
        std,
        size: [SIDE, SIDE],
        resize: 'crop',
        stretchedSize: [SIDE + 2, SIDE + 3],
      },
    });
    expect([deit.preprocessing.stretchedSize, deit.warnings]).toEqual([[SIDE + 2, SIDE + 3], []]);
  });
});

describe('a model that is not a classifier', () => {
  it('is refused in one sentence', async () => {
    const b = graphBuilder({ opset: 13 });
    b.output(b.add('Relu', [b.input('x', 'float32', ['n', 8])]), 'float32', ['n', 8]);
    await expect(load(b.finish())).rejects.toThrow(
      /net: not an image classifier: expected one input of four dimensions.*x float32 \[n, 8\]/,
    );
    const c = graphBuilder({ opset: 13 });
    c.output(c.add('Relu', [c.input('x', 'float32', ['n', 3, 8, 8])]), 'float32', ['n', 3, 8, 8]);
    await expect(load(c.finish())).rejects.toThrow(
      /expected an output of shape \[batch, classes\]/,
    );
    await expect(
      createOnnxModel({ name: 'cut', bytes: writeModel(modelOf(net())).subarray(0, 500) }, runtime),
    ).rejects.toMatchObject({ code: 'model' });
  });
});

describe('features', () => {
  it('are found and read', async () => {
    const model = await load(net());
    const maps = model.inside?.featureMaps() ?? [];
    expect(maps).toEqual([]); // a map at the resolution of the picture is not coarser than it
    const [features] = (await model.inside?.activations(['features'], picture())) ?? [];
    expect(features.shape).toEqual([1, 6, SIDE, SIDE]);
    expect(Math.min(...features.data)).toBe(0);
  });
});
