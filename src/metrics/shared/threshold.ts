import * as v from 'valibot';
import { number } from '../../options.ts';
import { extent, mean } from '../../tensor/statistics.ts';

/** The option that says where a map is cut. */
export const thresholdOption = v.pipe(
  v.union([v.pipe(number, v.minValue(0), v.maxValue(1)), v.literal('mean')]),
  v.description(
    "share of the map's range above which a pixel counts as activated, or mean: above the map's mean",
  ),
);

/**
 * The activated pixels of a map, 1 or 0 each: value > min + threshold · (max - min), or value >
 * mean. `threshold` is a share of the map's range, 0 … 1. A constant map has no activated pixel.
 * Source: Vasu & Long, IASSA, WACV 2020, section 4 (T = 0.3), with the range as in the authors'
 * code; the mean is that of the segmentation protocol of Chefer, Gur & Wolf, CVPR 2021.
 */
export function activated(
  map: ArrayLike<number>,
  threshold: v.InferOutput<typeof thresholdOption>,
): Uint8Array {
  const [min, max] = extent(map);
  const limit = threshold === 'mean' ? mean(map) : min + threshold * (max - min);
  const result = new Uint8Array(map.length);
  for (let i = 0; i < map.length; i++) result[i] = map[i] > limit && max > min ? 1 : 0;
  return result;
}

/** How the activated pixels and an object overlap, in pixels. */
export interface Overlap {
  readonly both: number;
  /** Activated, but background. */
  readonly first: number;
  /** Object, but not activated. */
  readonly second: number;
  /** Neither. */
  readonly neither: number;
}

/**
 * Compares activated pixels with regions (1 object, 0 background); void pixels (2) are left out.
 */
export function overlapOf(active: Uint8Array, regions: Uint8Array): Overlap {
  const counts = new Uint32Array(4); // neither, second, first, both
  for (let i = 0; i < active.length; i++) if (regions[i] < 2) counts[2 * active[i] + regions[i]]++;
  const [neither, second, first, both] = counts;
  return { both, first, second, neither };
}
