import { createRandom, type Random } from '../tensor/random.ts';

/** The plain mean. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value below which a share of sorted values lies, by linear interpolation (type 7 of Hyndman & Fan 1996). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

/** Draws of the bootstrap. */
export const BOOTSTRAP_DRAWS = 2000;

/**
 * The 95% interval of a statistic of `count` pictures by the percentile bootstrap: the statistic of 2,000 draws of as many
 * pictures with replacement, between its 2.5% and 97.5% quantiles.
 * Source: Efron, Bootstrap Methods, Annals of Statistics 7, 1979.
 */
export function bootstrapInterval(count: number, statistic: (drawn: readonly number[]) => number, random: Random): [low: number, high: number] {
  const drawn = new Array<number>(count);
  const results = Float64Array.from({ length: BOOTSTRAP_DRAWS }, () => {
    for (let i = 0; i < count; i++) drawn[i] = random.integer(count);
    return statistic(drawn);
  }).sort();
  return [quantile(results, 0.025), quantile(results, 0.975)];
}

/** The interval of a mean; the same numbers give the same interval. */
export function meanInterval(values: readonly number[], seed = 0): [low: number, high: number] {
  return bootstrapInterval(values.length, (drawn) => drawn.reduce((sum, i) => sum + values[i], 0) / drawn.length, createRandom(seed).fork('bootstrap'));
}

/** Ranks from 1, the best first; equal values share the better rank, as in races (1, 2, 2, 4); null has none. */
export function ranksOf(values: readonly (number | null)[], direction: 'higher' | 'lower'): (number | null)[] {
  const better = (a: number, b: number) => (direction === 'higher' ? a > b : a < b);
  return values.map((value) => (value === null ? null : 1 + values.filter((other) => other !== null && better(other, value)).length));
}
