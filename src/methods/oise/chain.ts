import type { Random } from '../../tensor/random.ts';

/**
 * A chain of masks: the cells of its current mask (0 is off, everything else is on), and the score
 * of the picture seen through the previous mask.
 */
export interface Chain {
  readonly cells: Float32Array;
  score: number;
}

/**
 * The probability that each cell is on in the next mask. For a score p of the picture seen through
 * the current mask, it is p for a cell that is on and 1 - p for a cell that is off.
 */
export const onProbabilities = (cells: Float32Array, score: number): Float32Array =>
  cells.map((cell) => (cell > 0 ? score : 1 - score));

/**
 * Draws which cells are on in each of n chains. In chain k, a cell is on with probability
 * probabilities[k][cell], independently of other cells. The number of chains in which a cell is on
 * is the sum of its probabilities, rounded up or down. Each single chain has the same distribution
 * as with independent draws, but the mean over the chains varies less.
 *
 * Systematic sampling in random order (Madow, Annals of Mathematical Statistics 20, 1949): the
 * probabilities of all chains are intervals that are placed end to end. A cell is on in the chains
 * whose interval contains one of u, u + 1, u + 2, …, with u uniform in 0 … 1.
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
 * Moves a chain one step, in place, to the cells that were drawn to be on. A cell that was not
 * fully on before gets the value 1 - rate · |p - previous p|, where p is the score.
 * @returns the mean of the cells after the step, given the cells before it: E[ cells | cells
 * before, p ].
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

/** The mean absolute difference of neighboring cells, 0 … 1. */
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
