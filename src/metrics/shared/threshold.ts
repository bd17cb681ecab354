import * as v from 'valibot';
import { number } from '../../options.ts';
import { extent, mean } from '../../tensor/statistics.ts';

/** The option for the threshold of activated pixels. */
export const thresholdOption = v.pipe(
  v.union([v.pipe(number, v.minValue(0), v.maxValue(1)), v.literal('mean')]),
  v.description(
    'a pixel above this share of the range of the map is activated; mean: a pixel above the ' +
      'mean of the map',
  ),
);

/**
 * The activated pixels of a map, [pixels] of 1 or 0: value > min + threshold · (max - min), or
 * value > mean. `threshold` is a share of the range of the map, 0 … 1. A constant map has no
 * activated pixel. Source: Vasu & Long, IASSA, WACV 2020, section 4 (T = 0.3), with the range as in
 * the authors' code. The mean comes from the segmentation protocol of Chefer, Gur & Wolf, CVPR
 * 2021.
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

/** The overlap of the activated pixels and an object, in numbers of pixels. */
export interface Overlap {
  readonly both: number;
  /** Activated, but on the background. */
  readonly first: number;
  /** On the object, but not activated. */
  readonly second: number;
  /** Neither activated nor on the object. */
  readonly neither: number;
}

/**
 * Compares activated pixels with regions (1 object, 0 background). Void pixels (2) do not count.
 */
export function overlapOf(active: Uint8Array, regions: Uint8Array): Overlap {
  const counts = new Uint32Array(4); // neither, second, first, both
  for (let i = 0; i < active.length; i++) if (regions[i] < 2) counts[2 * active[i] + regions[i]]++;
  const [neither, second, first, both] = counts;
  return { both, first, second, neither };
}
