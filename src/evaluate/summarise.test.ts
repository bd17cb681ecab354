import { describe, expect, it } from 'vitest';
import { createDataset } from '../datasets/dataset.ts';
import { methods } from '../methods/index.ts';
import { metrics as metricRegistry } from '../metrics/index.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import type { Evaluation, MapRecord, ScoreRecord } from './records.ts';
import type { ScoreStore } from './store.ts';
import { type Summary, summarise } from './summarise.ts';

type Scored = Partial<Pick<ScoreRecord, 'value' | 'curve' | 'ratios'>>;

/** The summary of the scores of one map per picture. */
function summaryOf(metric: string, scores: readonly Scored[]): Summary {
  const idOf = (i: number) => `${i}`;
  const read = async () => Promise.reject(new Error('not read'));
  const evaluation: Evaluation = {
    model: createFunctionModel({
      name: 'm',
      labels: ['a'],
      preprocessing: IMAGENET_PREPROCESSING,
      output: 'probabilities',
      classify: async () => tensor([1, 1]),
    }),
    dataset: createDataset({
      name: 'd',
      length: scores.length,
      provides: [],
      protocol: [],
      problems: [],
      idOf,
      read,
    }),
    methods: [{ name: 'random', method: methods.get('random'), options: {} }],
    metrics: [{ key: metric, metric: metricRegistry.get(metric), preset: 'p', options: {} }],
    target: 'predicted',
    seed: 0,
    folder: '.',
  };
  const common = { method: 'random', modelCalls: { forward: 0, backward: 0 }, seconds: 0 };
  const map = {
    ...common,
    kind: 'map',
    target: { index: 0, label: 'a', probability: 1 },
    cache: '',
    activatedPixels: 1,
    sketch: [],
  } as const;
  const maps = scores.map((_, i): MapRecord => ({ ...map, item: idOf(i) }));
  const records = scores.map(
    (score, i): ScoreRecord => ({
      ...common,
      kind: 'score',
      item: idOf(i),
      metric,
      preset: 'p',
      options: {},
      value: null,
      ...score,
    }),
  );
  const unused = () => {
    throw new Error('not asked for');
  };
  const store: ScoreStore = {
    has: unused,
    map: unused,
    score: unused,
    append: unused,
    maps: () => maps,
    scores: () => records,
  };
  return summarise(evaluation, store, []);
}

/**
 * A curve of 1,001 points that rises steeply somewhere, as those of pictures do; its area is `1 -
 * at`.
 */
function curveOf(at: number): Scored {
  const x = Array.from({ length: 1001 }, (_, i) => i / 1000);
  const y = x.map((each) => Math.min(1, Math.max(0, (each - at) / 0.004 + 0.5)));
  return { value: 1 - at, curve: { x, y } };
}

describe('an interval', () => {
  const random = createRandom(4);
  const levels: readonly (readonly [metric: string, score: (size: number) => Scored])[] = [
    ['iou', (size) => ({ value: size })],
    ['sic', (size) => curveOf(size)],
    [
      'pixel-accuracy',
      (size) => ({ value: 0.5 * size, ratios: [[5e4 * size * size, 1e5 * size]] }),
    ],
  ];

  it.each(levels)('of one picture is its score (%s)', (metric, score) => {
    const [{ value, interval }] = summaryOf(metric, [score(0.4711)]).table;
    expect(interval).toEqual([value, value]);
  });

  it.each(levels)(
    'contains its score, and is not wider than the range of the scores (%s)',
    (metric, score) => {
      for (const count of [2, 3, 8, 41]) {
        const sizes = Array.from({ length: count }, () => 0.1 + 0.8 * random.uniform());
        const scores = sizes.map(score);
        const [{ value, interval }] = summaryOf(metric, scores).table;
        const [low, high] = interval as [number, number];
        expect(low).toBeLessThanOrEqual(value as number);
        expect(high).toBeGreaterThanOrEqual(value as number);
        expect(low).toBeLessThan(high);
        const values = scores.map((each) => each.value as number);
        expect(low).toBeGreaterThanOrEqual(Math.min(...values) - 1e-9);
        expect(high).toBeLessThanOrEqual(Math.max(...values) + 1e-9);
      }
    },
  );
});

describe('the level of a score', () => {
  it("is the metric's, though no picture has a score", () => {
    expect(
      ['mean-iou', 'pixel-accuracy', 'sic', 'aic', 'f1'].map(
        (metric) => summaryOf(metric, [{}]).metrics[0].level,
      ),
    ).toEqual(['data-set', 'data-set', 'median-curve', 'median-curve', 'mean']);
  });
});
