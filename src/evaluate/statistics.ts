import type { Curve } from '../metrics/metric.ts';
import { createRandom, type Random } from '../tensor/random.ts';
import { mean, quantile, sum } from '../tensor/statistics.ts';

/** Draws of the bootstrap. */
const BOOTSTRAP_DRAWS = 2000;

/**
 * The draws of the bootstrap: 2,000 times the indices of `count` pictures, drawn with replacement.
 * All statistics use the same draws.
 */
function* draws(count: number, random: Random): Generator<Uint32Array> {
  const drawn = new Uint32Array(count);
  for (let draw = 0; draw < BOOTSTRAP_DRAWS; draw++) {
    for (let i = 0; i < count; i++) drawn[i] = random.integer(count);
    yield drawn;
  }
}

/** The 2.5% and 97.5% quantiles. */
function middle95(results: Iterable<number>): [low: number, high: number] {
  const sorted = Float64Array.from(results).sort();
  return [quantile(sorted, 0.025), quantile(sorted, 0.975)];
}

/** The random numbers of the bootstrap; equal seeds give equal intervals. */
const bootstrapRandom = (seed: number): Random => createRandom(seed).fork('bootstrap');

/**
 * The 95% interval of a statistic of `count` pictures by the percentile bootstrap: the 2.5% and
 * 97.5% quantiles of the statistic over 2,000 draws of `count` pictures with replacement. Source:
 * Efron, Bootstrap Methods, Annals of Statistics 7, 1979.
 */
export function bootstrapInterval(
  count: number,
  statistic: (drawn: ArrayLike<number>) => number,
  seed = 0,
): [low: number, high: number] {
  return middle95(Array.from(draws(count, bootstrapRandom(seed)), statistic));
}

/** The 95% bootstrap interval of a mean. */
export function meanInterval(values: readonly number[], seed = 0): [low: number, high: number] {
  const statistic = (drawn: ArrayLike<number>) => {
    let sum = 0;
    for (let i = 0; i < drawn.length; i++) sum += values[drawn[i]];
    return sum / drawn.length;
  };
  return bootstrapInterval(values.length, statistic, seed);
}

/** For each draw, how often each picture is drawn. */
function drawnCounts(count: number, seed: number): Uint16Array[] {
  return Array.from(draws(count, bootstrapRandom(seed)), (drawn) => {
    const counts = new Uint16Array(count);
    for (const i of drawn) counts[i] += 1;
    return counts;
  });
}

/**
 * The median of the drawn values. `order` sorts `values`; `counts` has the number of times that
 * each value was drawn.
 */
function drawnMedian(values: readonly number[], order: Uint32Array, counts: Uint16Array): number {
  const middle = (order.length - 1) >> 1;
  let at = 0;
  let seen = counts[order[0]];
  while (seen <= middle) seen += counts[order[++at]];
  const lower = values[order[at]];
  if (order.length % 2 === 1 || seen > middle + 1) return lower;
  do at++;
  while (counts[order[at]] === 0);
  return lower + 0.5 * (values[order[at]] - lower);
}

/**
 * The 95% bootstrap interval of the area under the median of curves with the same x. It uses every
 * point, because a curve with fewer points has another area. It sorts the pictures once per point,
 * so each draw takes linear time.
 */
export function medianAreaInterval(
  curves: readonly Curve[],
  seed = 0,
): [low: number, high: number] {
  const [{ x }] = curves;
  const counts = drawnCounts(curves.length, seed);
  const areas = new Float64Array(BOOTSTRAP_DRAWS);
  const medians = new Float64Array(BOOTSTRAP_DRAWS);
  for (let point = 0; point < x.length; point++) {
    const values = curves.map(({ y }) => y[point]);
    const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b]);
    for (let draw = 0; draw < BOOTSTRAP_DRAWS; draw++) {
      const median = drawnMedian(values, order, counts[draw]);
      if (point > 0) areas[draw] += ((median + medians[draw]) / 2) * (x[point] - x[point - 1]);
      medians[draw] = median;
    }
  }
  return middle95(areas);
}

/**
 * Ranks from 1 for the best. Equal values share the better rank (1, 2, 2, 4). The rank of null is
 * null.
 */
export function ranksOf(
  values: readonly (number | null)[],
  direction: 'higher' | 'lower',
): (number | null)[] {
  const better = (a: number, b: number) => (direction === 'higher' ? a > b : a < b);
  return values.map((value) =>
    value === null
      ? null
      : 1 + values.filter((other) => other !== null && better(other, value)).length,
  );
}

/**
 * Kendall's coefficient of concordance: how far m judges agree on the order of n things, from 0
 * (the rank sums are all equal) to 1 (all judges give one order). `ranks` is [m][n]; equal values
 * share the mean of their ranks.
 *
 *   W = 12 sum_i (R_i - mean R)² / (m² (n³ - n) - m sum_j T_j)
 *
 * R_i is the sum of the ranks of thing i. T_j is the sum of t³ - t over the groups of t equal ranks
 * of judge j.
 *
 * null for fewer than two judges or two things, and if every judge ranks all things alike.
 * Source: Kendall & Babington Smith, The Problem of m Rankings, 1939; ties as in Kendall, Rank
 * Correlation Methods, 1948.
 */
export function kendallW(ranks: readonly ArrayLike<number>[]): number | null {
  const m = ranks.length;
  const n = ranks[0]?.length ?? 0;
  if (m < 2 || n < 2) return null;
  const sums = Float64Array.from({ length: n }, (_, i) => sum(ranks.map((judge) => judge[i])));
  const middle = mean(sums);
  const spread = sum(sums.map((each) => (each - middle) ** 2));
  // The sum of t³ - t over the groups, as a sum of t² - 1 over the members.
  const ties = sum(
    ranks.map((judge) => {
      const list = Array.from(judge);
      return sum(list.map((rank) => list.filter((other) => other === rank).length ** 2 - 1));
    }),
  );
  const most = m * m * (n ** 3 - n) - m * ties;
  return most > 0 ? (12 * spread) / most : null;
}
