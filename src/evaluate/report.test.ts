import { describe, expect, it } from 'vitest';
import { metrics as metricRegistry } from '../metrics/index.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { methodOrder } from './ranking.ts';
import { evaluationReport } from './report.ts';
import { ranksOf } from './statistics.ts';
import type { Summary, SummaryCell } from './summarise.ts';

type Scores = Readonly<Record<string, Readonly<Record<string, number | null>>>>;

/** A summary of four pictures: the score of each metric by method. */
function summaryOf(scores: Scores, more: Partial<Summary> = {}): Summary {
  const metrics = Object.keys(scores).map((key) => metricRegistry.get(key));
  const table = metrics.flatMap(({ name, direction }): SummaryCell[] => {
    const ranks = ranksOf(Object.values(scores[name]), direction);
    return Object.entries(scores[name]).map(([method, value], i) => ({
      method,
      metric: name,
      value,
      interval: value === null ? null : [value, value],
      count: value === null ? 0 : 4,
      excluded: value === null ? 4 : 0,
      rank: ranks[i],
      pixelLevel: null,
    }));
  });
  const methods = Object.keys(Object.values(scores)[0]);
  return {
    settings: {
      fovea: '0',
      model: {
        name: 'm',
        fingerprint: 'f',
        runtime: 'cpu',
        preprocessing: JSON.parse(JSON.stringify(IMAGENET_PREPROCESSING)),
      },
      dataset: { name: 'pictures', options: {}, protocol: [] },
      target: 'predicted',
      seed: 0,
      methods: Object.fromEntries(methods.map((method) => [method, { method, options: {} }])),
      metrics: {},
    },
    pictures: 4,
    maskless: 0,
    problems: [],
    methods: methods.map((name) => ({
      name,
      method: name,
      title: name,
      paper: 'a paper',
      isControl: name === 'random' || name === 'centre',
    })),
    metrics: metrics.map(({ name, title, direction, paper, axes }) => ({
      key: name,
      title,
      direction,
      paper,
      preset: 'p',
      options: {},
      level: 'mean',
      axes,
    })),
    table,
    cost: methods.map((method) => ({ method, pictures: 4, forward: 1, backward: 0, seconds: 1 })),
    curves: [],
    ...more,
  };
}

const pageOf = (summary: Summary): string => evaluationReport(summary, { rows: [] });

describe('the mean rank', () => {
  const scores = {
    f1: { rise: 0.6, 'deep-lift': 0.5, random: 0.1 },
    iou: { rise: 0.5, 'deep-lift': 0.4, random: 0.1 },
    completeness: { rise: null, 'deep-lift': 0.01, random: null },
  };

  it('leaves out metrics that score only one method', () => {
    expect(methodOrder(summaryOf(scores))).toEqual([
      { method: 'rise', rank: 1 },
      { method: 'deep-lift', rank: 2 },
      { method: 'random', rank: 3 },
    ]);
    expect(pageOf(summaryOf(scores))).toContain(
      'The mean rank is over the metrics in which every method has a score, so not over ' +
        'completeness.',
    );
  });

  it('includes all metrics if all methods have scores', () => {
    const { f1, iou } = scores;
    expect(pageOf(summaryOf({ f1, iou }))).toContain('The mean rank is over all metrics.');
  });

  it('is computed for the other methods if a method has no score', () => {
    const failed = { f1: { ...scores.f1, sag: null }, iou: { ...scores.iou, sag: null } };
    expect(methodOrder(summaryOf(failed))).toContainEqual({ method: 'rise', rank: 1 });
    expect(methodOrder(summaryOf(failed)).at(-1)).toEqual({
      method: 'sag',
      rank: Number.POSITIVE_INFINITY,
    });
  });
});

describe('a chart', () => {
  it.each([
    ['model-randomization', 'share of layers randomized', 'similarity to the map of the model'],
    ['road', 'share of pixels removed', '(least relevant first − most first) / 2'],
    ['deletion', 'share of pixels hidden', 'score of the class'],
    ['aic', 'share of the information shown', 'accuracy'],
  ])('of %s has its axes', (metric, x, y) => {
    const curves = [{ method: 'rise', metric, x: [0, 1], y: [0, 0.4] }];
    const page = pageOf(summaryOf({ [metric]: { rise: 0.2 } }, { curves }));
    expect(page).toMatch(/aria-label="[^"]+ curves of 1 method; scores: rise 0.200"/);
    expect(page).toContain(`text-anchor="middle">${x}</text>`);
    expect(page).toContain(`text-anchor="middle">${y}</text>`);
  });
});

describe('a table', () => {
  it('breaks lines between interval and rank only', () => {
    const page = pageOf(summaryOf({ f1: { rise: 0.6, iia: null } }));
    expect(page).toContain('>f1\u00a0↑</th>');
    expect(page).toContain('<small>0.600\u00a0…\u00a00.600 · #1</small>');
  });
});

describe('the section of missing results', () => {
  it('names the methods that have no score', () => {
    const page = pageOf(
      summaryOf({
        f1: { rise: 0.6, iia: 0.5 },
        sic: { rise: null, iia: null },
        completeness: { rise: null, iia: 0.1 },
      }),
    );
    expect(page).toContain(
      '<li>sic has no score for 4 of 4 pictures with any method</li><li>completeness has no ' +
        'score for 4 of 4 pictures with rise</li>',
    );
  });

  it('separates metrics that the model does not allow from methods that it cannot run', () => {
    const problems = [
      { kind: 'not-run', message: 'model-randomization: no weights' },
      { kind: 'not-run', method: 'gae', message: 'gae needs attention' },
      { kind: 'damaged', item: 'a', message: 'a is damaged' },
    ] as const;
    const page = pageOf(summaryOf({ f1: { rise: 0.6 } }, { problems }));
    expect(page).toContain(
      '<summary>1 method that this model cannot run</summary><pre>gae needs attention</pre>',
    );
    expect(page).toContain(
      '<summary>1 metric that this model cannot be scored ' +
        'by</summary><pre>model-randomization: no weights</pre>',
    );
    expect(page).toContain('<summary>1 picture that could not be read</summary>');
  });
});
