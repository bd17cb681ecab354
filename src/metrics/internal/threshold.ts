import { range } from '../../tensor/tensor.ts';

/**
 * The activated pixels of a map, 1 or 0 each: value > min + threshold · (max - min).
 * `threshold` is a share of the map's range, 0 … 1. A constant map has no activated pixel.
 * Source: Vasu & Long, IASSA, WACV 2020, section 4 (T = 0.3), with the range as in the authors' code.
 */
export function activated(map: ArrayLike<number>, threshold: number): Uint8Array {
  const [min, max] = range(map);
  const limit = min + threshold * (max - min);
  const result = new Uint8Array(map.length);
  for (let i = 0; i < map.length; i++) result[i] = map[i] > limit && max > min ? 1 : 0;
  return result;
}

/** How two sets of pixels overlap, in pixels. */
export interface Overlap {
  readonly both: number;
  /** In the first set only. */
  readonly first: number;
  /** In the second set only. */
  readonly second: number;
}

/** Compares two sets of pixels of the same length; anything but 0 is in the set. */
export function overlapOf(a: Uint8Array, b: Uint8Array): Overlap {
  let [both, first, second] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    if (a[i] && b[i]) both++;
    else if (a[i]) first++;
    else if (b[i]) second++;
  }
  return { both, first, second };
}
