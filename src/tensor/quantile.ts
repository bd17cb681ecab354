/**
 * The value below which a share of sorted values lies, by linear interpolation (type 7 of Hyndman &
 * Fan 1996); 0.5: the median. NaN for no values.
 */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}
