import { describe, expect, it } from 'vitest';
import { upsamplingMatrix } from '../image/upsampling.ts';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import {
  CLASSES,
  createLoader,
  type Net,
  net,
  picture,
  SIDE,
} from './fixtures/small-classifier.ts';
import type { Model } from './model.ts';
import type { Perturbation } from './perturbation.ts';
import { renderPerturbation } from './render-perturbation.ts';

const load = createLoader();

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

  it('uses JavaScript if the opset lacks the operators', async () => {
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
