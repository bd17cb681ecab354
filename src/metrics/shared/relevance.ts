/** How a signed map becomes relevance. Relevance is never negative. */
export type Pooling = 'positive' | 'absolute' | 'squared';

const pool: Record<Pooling, (value: number) => number> = {
  positive: (value) => Math.max(0, value),
  absolute: Math.abs,
  squared: (value) => value * value,
};

/**
 * The share of the relevance that lies on the object, 0 … 1: the sum over the object divided by the
 * sum over object and background. Null for a map without relevance. `regions` is 1 for the object,
 * 0 for the background and 2 for void pixels.
 */
export function massOnObject(
  map: ArrayLike<number>,
  regions: Uint8Array,
  pooling: Pooling,
): number | null {
  const sums = [0, 0, 0];
  for (let i = 0; i < map.length; i++) sums[regions[i]] += pool[pooling](map[i]);
  const [background, object] = sums;
  return object + background > 0 ? object / (object + background) : null;
}
