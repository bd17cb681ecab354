import type { Random } from '../../tensor/random.ts';

/** A chain of masks: its cells (0 off, else on), and the score of the picture seen through them before the last step. */
export interface Chain {
  readonly cells: Float32Array;
  score: number;
}

/** A chain at its start: each cell on with probability 1 - p0, no score yet. */
export function startChain(cells: number, p0: number, random: Pick<Random, 'uniform'>): Chain {
  return { cells: Float32Array.from({ length: cells }, () => (random.uniform() > p0 ? 1 : 0)), score: 0 };
}

/** What a step leads to in the mean, given the cells before it: E[ g' | g, p ]. */
export type ExpectedCells = Float32Array;

/**
 * One step, in place. With p the score of the picture seen through the mask, a cell that is on stays on with probability p,
 * one that is off turns on with probability 1 - p. Cells that were not fully on before come on at 1 - rate · |p - previous p|.
 * Numbers are drawn for the cells that are on first, then for those that are off, in row-major order.
 */
export function stepChain(chain: Chain, score: number, rate: number, random: Pick<Random, 'uniform'>): ExpectedCells {
  const { cells } = chain;
  const partly = 1 - rate * Math.abs(score - chain.score);
  const expected = new Float32Array(cells.length);
  const next = new Float32Array(cells.length);
  for (const on of [true, false]) {
    const stays = on ? score : 1 - score;
    for (let i = 0; i < cells.length; i++) {
      if (cells[i] > 0 !== on) continue;
      const value = cells[i] < 1 ? partly : 1;
      expected[i] = stays * value;
      if (random.uniform() > 1 - stays) next[i] = value;
    }
  }
  cells.set(next);
  chain.score = score;
  return expected;
}

/** Mean absolute difference of neighbouring cells, 0 … 1. */
export function totalVariation(cells: ArrayLike<number>, side: number): number {
  let sum = 0;
  for (let i = 0; i < side; i++) {
    for (let j = 0; j + 1 < side; j++) {
      sum += Math.abs(cells[i * side + j + 1] - cells[i * side + j]) + Math.abs(cells[(j + 1) * side + i] - cells[j * side + i]);
    }
  }
  return side > 1 ? sum / (2 * side * (side - 1)) : 0;
}
