import * as v from 'valibot';
import { baselineOption, createBaseline } from '../model/input/baseline.ts';
import { integer, option } from '../options.ts';
import { tensor } from '../tensor/tensor.ts';
import { defineMetric, type Given } from './metric.ts';
import { allButOne } from './shared/cells.ts';
import { pixelOrder } from './shared/ranks.ts';

/**
 * The group of each pixel, [H · W]. The pixels in falling order of salience are divided into
 * `groups` groups whose sizes differ by at most one. Group 0 has the most salient pixels.
 */
function saliencyGroups(order: ArrayLike<number>, groups: number): Int32Array {
  const labels = new Int32Array(order.length);
  for (let rank = 0; rank < order.length; rank++)
    labels[order[rank]] = Math.floor((rank * groups) / order.length);
  return labels;
}

/** The class scores of pictures, [groups]. In each picture one group of pixels is hidden. */
async function scoresWithout(
  { model, input, target, batchSize, signal, onProgress }: Given<'model'>,
  labels: Int32Array,
  groups: number,
  baseline: v.InferOutput<typeof baselineOption>,
): Promise<ArrayLike<number>> {
  const bits = tensor([groups, groups], allButOne(groups));
  const { data } = await model.perturb({
    input,
    perturbation: { kind: 'segments', labels, bits },
    baseline: createBaseline(baseline, model, input),
    targets: [target.index],
    batchSize,
    signal,
    onProgress: (done, total) => onProgress?.(done / total),
  });
  return data;
}

/**
 * The coefficient of `saco`, from the salience and the drop of each group; 0 if all groups have the
 * same salience.
 */
function coefficient(salience: ArrayLike<number>, drop: ArrayLike<number>): number {
  let signed = 0;
  let total = 0;
  for (let i = 0; i < salience.length; i++)
    for (let j = i + 1; j < salience.length; j++) {
      const weight = salience[i] - salience[j];
      signed += drop[i] >= drop[j] ? weight : -weight;
      total += weight;
    }
  return total > 0 ? signed / total : 0;
}

/**
 * SaCo, the salience-guided faithfulness coefficient: whether groups of pixels with a higher
 * salience also have a larger effect on the score, -1 … 1. Higher is better.
 *
 *   G_1, …, G_K: equal groups of pixels in falling order of the map
 *   s_i = mean of the map in G_i,   d_i = p(x) - p(x with G_i replaced by the baseline)
 *   w_ij = s_i - s_j if d_i >= d_j, else s_j - s_i
 *   SaCo = sum_{i<j} w_ij / sum_{i<j} |w_ij|
 *
 * The value is 0 for a map with the same mean in all groups. The cost is K model calls: p(x) is the
 * same for all groups, so the comparison does not need it. The paper uses sums over groups of one
 * size, which gives the same coefficient. Here the sizes may differ by one pixel, so means are
 * used. Source: Wu, Kang, Tang et al., On the Faithfulness of Vision Transformer Explanations, CVPR
 * 2024, algorithm 1 (K = 10, groups replaced by the mean color of the picture).
 */
export const saco = defineMetric({
  name: 'saco',
  title: 'SaCo',
  direction: 'higher',
  range: [-1, 1],
  paper:
    'Wu, Kang, Tang, Hong & Yan, On the Faithfulness of Vision Transformer Explanations, CVPR 2024',
  needs: ['model'],
  presets: { 'wu-2024': { groups: 10, baseline: 'mean' } },
  options: v.object({
    groups: option(v.pipe(integer, v.minValue(2)), 10, 'number of groups of pixels'),
    baseline: v.optional(baselineOption, 'mean'),
  }),
  measure: async (context, { groups, baseline }) => {
    const { map } = context;
    const count = Math.min(groups, map.data.length);
    const labels = saliencyGroups(context.order ?? pixelOrder(map.data), count);
    const salience = new Float64Array(count);
    const sizes = new Float64Array(count);
    for (let i = 0; i < labels.length; i++) {
      salience[labels[i]] += map.data[i];
      sizes[labels[i]]++;
    }
    const scores = await scoresWithout(context, labels, count, baseline);
    return {
      value: coefficient(
        salience.map((sum, i) => sum / sizes[i]),
        Array.from(scores, (score) => -score),
      ),
    };
  },
});
