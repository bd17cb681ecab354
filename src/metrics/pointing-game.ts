import * as v from 'valibot';
import { number, option } from '../options.ts';
import { extent } from '../tensor/statistics.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { massOnObject } from './shared/relevance.ts';

/**
 * Whether the object has a pixel at `point`, or nearer to it than `tolerance` pixels:
 * (y - y*)² + (x - x*)² < tolerance², strictly.
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

/** The share of the map's highest pixels that hit the object. */
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
 * Pointing game: 1 if the map's highest pixel lies on the object, else 0; the average over pictures
 * is the share of hits. If several pixels share the highest value, the score is the share of them
 * that hit, so a constant map scores what a random pixel would. With `tolerance` t (pixels of the
 * map) an object nearer than t is a hit too; preset `torchray` uses 15. Preset `energy` is the
 * energy-based pointing game: the share of the map's positive part that lies on the object, 0 … 1.
 * There is no value for a mask without object and, with `energy`, for a map without positive
 * values. A void pixel is not a hit and has no energy. Source: Zhang et al., Top-down neural
 * attention by excitation backprop, ECCV 2016; tolerance as in TorchRay (Fong, Patrick & Vedaldi,
 * ICCV 2019), which takes the first of several highest pixels; energy: Wang et al., Score-CAM,
 * CVPRW 2020.
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
      'whether the highest pixel hits the object, or the share of positive values on it',
    ),
    tolerance: option(
      v.pipe(number, v.minValue(0)),
      0,
      'an object nearer to the highest pixel than this many pixels is a hit; 0: the pixel ' +
        'itself has to lie on it',
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
