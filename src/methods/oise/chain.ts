import type { Random } from '../../tensor/random.ts';

/**
 * A chain of masks: its cells (0 off, else on), and the score of the picture seen through them
 * before the last step.
 */
export interface Chain {
  readonly cells: Float32Array;
  score: number;
}

/**
 * With p the score of the picture seen through the mask, the probability that each cell is on next:
 * p for a cell that is on, 1 - p for one that is off.
 */
export const onProbabilities = (cells: Float32Array, score: number): Float32Array =>
  cells.map((cell) => (cell > 0 ? score : 1 - score));

/**
 * Draws which of n chains have each cell on: chain k with probability probabilities[k][cell], cells
 * independently of each other, and so many chains in all as their probabilities sum to, rounded up
 * or down. Each single chain has the same distribution as with independent draws, but their mean
 * varies less.
 *
 * Systematic sampling in random order (Madow, Annals of Mathematical Statistics 20, 1949): laid end
 * to end, the probabilities of the chains that come on hold one of u, u + 1, u + 2, …, with u
 * uniform in 0 … 1.
 */
export function drawTogether(
  probabilities: readonly Float32Array[],
  random: Pick<Random, 'uniform' | 'shuffle'>,
): Uint8Array[] {
  const cells = probabilities[0].length;
  const on = probabilities.map(() => new Uint8Array(cells));
  const order = probabilities.map((_, k) => k);
  for (let cell = 0; cell < cells; cell++) {
    random.shuffle(order);
    let end = random.uniform();
    for (const k of order) {
      const start = end;
      end += probabilities[k][cell];
      if (Math.floor(end) > Math.floor(start)) on[k][cell] = 1;
    }
  }
  return on;
}

/**
 * One step, in place, to the cells that were drawn to be on. Cells that were not fully on before
 * come on at 1 - rate · |p - previous p|, with p the score.
 * @returns What the step leads to in the mean, given the cells before it: E[ cells | cells before,
 * p ].
 */
export function moveChain(
  chain: Chain,
  score: number,
  rate: number,
  on: ArrayLike<number>,
): Float32Array {
  const partly = 1 - rate * Math.abs(score - chain.score);
  const expected = onProbabilities(chain.cells, score);
  for (let i = 0; i < expected.length; i++) {
    const value = chain.cells[i] < 1 ? partly : 1;
    expected[i] *= value;
    chain.cells[i] = on[i] ? value : 0;
  }
  chain.score = score;
  return expected;
}

/** Mean absolute difference of neighbouring cells, 0 … 1. */
export function totalVariation(cells: ArrayLike<number>, side: number): number {
  let sum = 0;
  for (let i = 0; i < side; i++) {
    for (let j = 0; j + 1 < side; j++) {
      sum +=
        Math.abs(cells[i * side + j + 1] - cells[i * side + j]) +
        Math.abs(cells[(j + 1) * side + i] - cells[j * side + i]);
    }
  }
  return side > 1 ? sum / (2 * side * (side - 1)) : 0;
}
