import * as v from 'valibot';
import { option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { extent, sum } from '../tensor/statistics.ts';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { pixelOrder } from './shared/ranks.ts';

/**
 * AP = sum_k (R_k - R_{k-1}) P_k over the distinct scores, from the highest to the lowest. P_k and
 * R_k are the precision and the recall of all pixels with at least this score, so pixels of equal
 * score count together. Source: `average_precision_score` of scikit-learn.
 */
function precisionOf(scores: Float64Array, positive: Uint8Array): number {
  const order = pixelOrder(scores);
  const positives = sum(positive);
  let [hits, area, before] = [0, 0, 0];
  order.forEach((index, place) => {
    hits += at(positive, index);
    if (place + 1 < order.length && scores[at(order, place + 1)] === scores[index]) return;
    area += ((hits - before) / positives) * (hits / (place + 1));
    before = hits;
  });
  return area;
}

/** The map, scaled to 0 … 1; a constant map becomes 0 everywhere. */
function normalized(map: ArrayLike<number>): Float64Array {
  const [min, max] = extent(map);
  return Float64Array.from(map, (value) => (max > min ? (value - min) / (max - min) : 0));
}

/**
 * Average precision of the map as a segmentation of the object, 0 … 1. Higher is better. s is the
 * map, scaled to 0 … 1 by its minimum and maximum. With `classes: 'both'` (the "mAP" of published
 * tables), the scores s of the object and 1 - s of the background are ranked together: 2 H·W
 * scores, half of which are true. With `object`, it is the plain average precision of s for the
 * pixels of the object. There is no value for a mask without an object. Void pixels do not count.
 * Source: Chefer, Gur & Wolf, Transformer Interpretability Beyond Attention Visualization, CVPR
 * 2021, and its code.
 */
export const averagePrecision = defineMetric({
  name: 'average-precision',
  title: 'Average precision',
  direction: 'higher',
  range: [0, 1],
  paper:
    'Chefer, Gur & Wolf, Transformer Interpretability Beyond Attention Visualization, CVPR 2021',
  needs: ['mask'],
  presets: { 'chefer-2021': { classes: 'both' }, object: { classes: 'object' } },
  options: v.object({
    classes: option(
      v.picklist(['both', 'object']),
      'both',
      'which scores are ranked: those of object and background together, or those of the ' +
        'object only',
    ),
  }),
  measure: (context, { classes }) => {
    const regions = regionsOf(context);
    const scores = normalized(context.map.data).filter((_, i) => at(regions, i) < 2);
    const object = regions.filter((region) => region < 2);
    const excluded = excludedWithoutObject(context);
    if (excluded) return excluded;
    if (classes === 'object') return { value: precisionOf(scores, object) };
    const both = Float64Array.from([...scores.map((score) => 1 - score), ...scores]);
    return {
      value: precisionOf(both, Uint8Array.from([...object.map((value) => 1 - value), ...object])),
    };
  },
});
