import { describe, expect, it } from 'vitest';
import { findMetric } from '../metrics/index.ts';
import { IMAGENET_PREPROCESSING } from '../model/preprocessing.ts';
import { benchmarkReport, methodOrder } from './report.ts';
import { ranksOf } from './statistics.ts';
import type { Summary, SummaryCell } from './summarise.ts';

type Scores = Readonly<Record<string, Readonly<Record<string, number | null>>>>;

/** A summary of four pictures: the score of each metric by method. */
function summaryOf(scores: Scores, more: Partial<Summary> = {}): Summary {
  const metrics = Object.keys(scores).map((key) => findMetric(key));
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
      model: { name: 'm', fingerprint: 'f', runtime: 'cpu', preprocessing: JSON.parse(JSON.stringify(IMAGENET_PREPROCESSING)) },
      dataset: { name: 'pictures', protocol: [] },
      target: 'predicted',
      seed: 0,
      methods: Object.fromEntries(methods.map((method) => [method, {}])),
      metrics: {},
    },
    pictures: 4,
    problems: [],
    metrics: metrics.map(({ name, title, direction, paper }) => ({ key: name, title, direction, paper, preset: 'p', options: {}, level: 'mean' })),
    table,
    cost: methods.map((method) => ({ method, forward: 1, backward: 0, seconds: 1 })),
    curves: [],
    ...more,
  };
}

const pageOf = (summary: Summary): string => benchmarkReport(summary, { rows: [] });

describe('the mean rank', () => {
  const scores = {
    f1: { rise: 0.6, 'deep-lift': 0.5, random: 0.1 },
    iou: { rise: 0.5, 'deep-lift': 0.4, random: 0.1 },
    completeness: { rise: null, 'deep-lift': 0.01, random: null },
  };

  it('does not reward a method for metrics that score no other', () => {
    expect(methodOrder(summaryOf(scores))).toEqual([
      { method: 'rise', rank: 1 },
      { method: 'deep-lift', rank: 2 },
      { method: 'random', rank: 3 },
    ]);
    expect(pageOf(summaryOf(scores))).toContain('the mean rank is over the metrics in which every method has a score, so not over completeness.');
  });

  it('is over all metrics where all methods have scores', () => {
    const { f1, iou } = scores;
    expect(pageOf(summaryOf({ f1, iou }))).toContain('the mean rank is over all metrics.');
  });

  it('is not kept from the others by a method without any score, which has none', () => {
    const failed = { f1: { ...scores.f1, sag: null }, iou: { ...scores.iou, sag: null } };
    expect(methodOrder(summaryOf(failed))).toContainEqual({ method: 'rise', rank: 1 });
    expect(methodOrder(summaryOf(failed)).at(-1)).toEqual({ method: 'sag', rank: Number.POSITIVE_INFINITY });
  });
});
