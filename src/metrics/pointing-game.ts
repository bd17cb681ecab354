import * as v from 'valibot';
import { number, option } from '../options.ts';
import { extent } from '../tensor/statistics.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { massOnObject } from './shared/relevance.ts';

/**
 * Whether the object has a pixel at `point`, or at a distance of strictly less than `tolerance`
 * pixels: (y - y*)² + (x - x*)² < tolerance².
 */
function hits(
  regions: Uint8Array,
  [height = 0, width = 0]: readonly number[],
  point: number,
  tolerance: number,
): boolean {
  if (regions[point] === 1) return true;
  const [py, px] = [Math.floor(point / width), point % width];
  const reach = Math.ceil(tolerance);
  for (let y = Math.max(0, py - reach); y <= Math.min(height - 1, py + reach); y++) {
    for (let x = Math.max(0, px - reach); x <= Math.min(width - 1, px + reach); x++) {
      if (regions[y * width + x] === 1 && (y - py) ** 2 + (x - px) ** 2 < tolerance ** 2)
        return true;
    }
  }
  return false;
}

/** The share of the highest pixels of the map that hit the object. */
function shareOfHits({ shape, data }: Tensor, regions: Uint8Array, tolerance: number): number {
  const [, max] = extent(data);
  let [highest, hit] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== max) continue;
    highest++;
    if (hits(regions, shape, i, tolerance)) hit++;
  }
  return hit / highest;
}

/**
 * Pointing game: 1 if the highest pixel of the map lies on the object, else 0. The mean over
 * pictures is the share of hits. If several pixels have the highest value, the score is the share
 * of them that hit. So a constant map has the same score as a random pixel on average. With a
 * `tolerance` of t pixels, an object at a distance of less than t is also a hit. The preset
 * `torchray` uses 15. The preset `energy` is the energy-based pointing game: the share of the
 * positive part of the map that lies on the object, 0 … 1. Higher is better.
 *
 * There is no value for a mask without an object. With `energy` there is also no value for a map
 * without positive values. A void pixel is not a hit and has no energy. Source: Zhang et al.,
 * Top-down neural attention by excitation backprop, ECCV 2016. The tolerance is that of TorchRay
 * (Fong, Patrick & Vedaldi, ICCV 2019), which uses the first of several highest pixels. Energy:
 * Wang et al., Score-CAM, CVPRW 2020.
 */
export const pointingGame = defineMetric({
  name: 'pointing-game',
  title: 'Pointing game',
  direction: 'higher',
  range: [0, 1],
  paper: 'Zhang et al., Top-down neural attention by excitation backprop, ECCV 2016',
  needs: ['mask'],
  presets: {
    exact: { form: 'hit', tolerance: 0 },
    torchray: { form: 'hit', tolerance: 15 },
    energy: { form: 'energy', tolerance: 0 },
  },
  options: v.object({
    form: option(
      v.picklist(['hit', 'energy']),
      'hit',
      'hit: whether the highest pixel hits the object; energy: the share of the positive ' +
        'values that lie on the object',
    ),
    tolerance: option(
      v.pipe(number, v.minValue(0)),
      0,
      'an object at a distance of less than this many pixels from the highest pixel is a ' +
        'hit; 0: the pixel itself must lie on the object',
    ),
  }),
  measure: (context, { form, tolerance }) => {
    const regions = regionsOf(context);
    const excluded = excludedWithoutObject(context);
    if (excluded) return excluded;
    if (form === 'hit') return { value: shareOfHits(context.map, regions, tolerance) };
    const value = massOnObject(context.map.data, regions, 'positive');
    return value === null ? { value, reason: 'the map has no positive values' } : { value };
  },
});
