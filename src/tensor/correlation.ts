/**
 * Pearson's correlation of two lists of the same length, -1 … 1; 0 where one of them does not
 * vary.
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

/** The rank of each value from 0 up; equal values share the mean of their ranks. */
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
 * Spearman's rank correlation, -1 … 1: Pearson's of the ranks; 0 where one of the lists does not
 * vary.
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [ranksA, ranksB] = [averageRanks(a), averageRanks(b)];
  const varies = (ranks: Float64Array) => ranks.some((rank) => rank !== ranks[0]);
  return varies(ranksA) && varies(ranksB) ? pearson(ranksA, ranksB) : 0;
}
