/** Σ_i x_i in double precision, from first to last; 0 for no values. */
export function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
}

/** The arithmetic mean, in double precision; NaN for no values. */
export const mean = (values: ArrayLike<number>): number => sum(values) / values.length;

/**
 * The smallest and the largest value. NaN values are ignored. `[Infinity, -Infinity]` for no
 * values.
 */
export function extent(values: ArrayLike<number>): [min: number, max: number] {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    if (values[i] < min) min = values[i];
    if (values[i] > max) max = values[i];
  }
  return [min, max];
}

/**
 * The quantile of sorted values for a share 0 … 1, by linear interpolation (type 7 of Hyndman & Fan
 * 1996). Share 0.5 is the median. NaN for no values.
 */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

/**
 * Pearson's correlation of two lists of the same length, -1 … 1. It is 0 if all values of a list
 * are equal.
 *
 *   r = Σ (a_i - ā)(b_i - b̄) / sqrt( Σ (a_i - ā)² · Σ (b_i - b̄)² )
 */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length;
  let [meanA, meanB] = [0, 0];
  for (let i = 0; i < n; i++) {
    meanA += a[i] / n;
    meanB += b[i] / n;
  }
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[i] - meanA, b[i] - meanB];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa > 0 && bb > 0 ? Math.max(-1, Math.min(1, ab / Math.sqrt(aa * bb))) : 0;
}

/**
 * The rank of each value. The smallest value has rank 0, and equal values all have the mean of
 * their ranks.
 */
export function averageRanks(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort(
    (a, b) => values[a] - values[b],
  );
  const ranks = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) ranks[order[i]] = (from + to - 1) / 2;
    from = to;
  }
  return ranks;
}

/**
 * Spearman's rank correlation, -1 … 1. This is Pearson's correlation of the ranks. It is 0 if all
 * values of a list are equal.
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [ranksA, ranksB] = [averageRanks(a), averageRanks(b)];
  const varies = (ranks: Float64Array) => ranks.some((rank) => rank !== ranks[0]);
  return varies(ranksA) && varies(ranksB) ? pearson(ranksA, ranksB) : 0;
}

/**
 * Whether two arrays are equal except for rounding: no values differ by more than a millionth of
 * the largest magnitude in `b`.
 */
export function areClose(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  const [low, high] = extent(b);
  const most = 1e-6 * Math.max(Math.abs(low), Math.abs(high));
  for (let i = 0; i < b.length; i++) if (!(Math.abs(a[i] - b[i]) <= most)) return false;
  return true;
}
