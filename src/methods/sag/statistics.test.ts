import { expect, it } from 'vitest';
import type { Sag } from './schema.ts';
import { sagStatistics } from './statistics.ts';

const graph = (sets: number[][], diverse: number): Sag => ({
  version: 1,
  grid: [7, 7],
  patches: 'soft',
  baseline: 'black',
  target: { index: 0, label: 'x' },
  probability: 1,
  threshold: 0.9,
  ranking: [],
  explanations: sets.map((patches) => ({ patches, probability: 1, confidence: 1, minimal: true })),
  diverse: { maxOverlap: 1, size: diverse, exact: true },
  roots: [],
  nodes: [],
  edges: [],
  truncated: false,
  exhausted: false,
  formula: '',
});

it('sagStatistics counts patches, explanations and overlaps over pictures', () => {
  const all = [
    graph([[1], [2, 3]], 2),
    graph(
      [
        [1, 2, 3],
        [2, 3, 4],
        [3, 4, 5],
      ],
      1,
    ),
    graph([], 0),
    graph([[5, 6]], 1),
  ];
  expect(sagStatistics(all)).toEqual({
    pictures: 4,
    explainedWith: [0.25, 0.5, 0.75],
    unexplained: 0.25,
    smallest: 2,
    explanations: 1.5,
    diverse: 1,
    diverseAtLeast: [0.75, 0.25],
    overlap: (0 + 5 / 3) / 2,
  });
  expect(sagStatistics([])).toMatchObject({
    pictures: 0,
    explainedWith: [],
    smallest: null,
    overlap: null,
  });
});
