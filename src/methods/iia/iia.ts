import * as v from 'valibot';
import { baselineOption, createBaseline } from '../../model/input/baseline.ts';
import { type Model, requireInside } from '../../model/model.ts';
import { integer, option } from '../../options.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { defineMethod } from '../method.ts';
import { type Attention, attentionOf } from '../shared/attention.ts';
import { camOptions } from '../shared/cam.ts';
import { fullBaseline } from '../shared/path.ts';
import { explainAttention } from './attention-path.ts';
import { explainLayerPaths } from './layer-path.ts';

/**
 * The attention of a transformer; undefined for other networks, and for attention that cannot be
 * rolled out. A convolutional network may also contain attention. Its last feature map is not a
 * sequence of tokens, so it does not count as a transformer.
 */
function transformerAttention(model: Model, input: Tensor): Attention | undefined {
  const last = requireInside(model).featureMaps().at(-1);
  if (last && last.layout !== 'tokens') return undefined;
  const attention = attentionOf(model, input);
  return typeof attention === 'string' ? undefined : attention;
}

/**
 * Iterated integrated attributions (Barkan et al. 2023): an integral over a path of pictures from a
 * baseline b to the picture x. For each of these pictures it is an integral over a path of the
 * feature map, from its reference r (the least value of each channel) to its value u. The map [H,
 * W] is signed.
 *
 *   map = sum_c ∫∫ (u - r) ⊙ v ⊙ dS/dv dα dβ
 *   u = layer(b + β (x - b)),   v = r + α (u - r)
 *
 * With three levels, an earlier layer is interpolated between the two. Integrals are means over the
 * points k / n, k = 1 … n.
 */
export const iia = defineMethod({
  name: 'iia',
  title: 'IIA',
  family: 'gradient',
  paper:
    'Barkan et al., Visual Explanations via Iterated Integrated Attributions, ICCV 2023, ' +
    'arXiv:2310.18585',
  needs: ['gradients', 'features'],
  uses: ['attention'],
  signed: true,
  cost:
    'n forward, and n² forward and backward through the head only (n = steps): 110 and 100; ' +
    'for transformers (n + 1)² through the whole network: 121; with three levels n³ and (n + ' +
    '1)³',
  options: v.object({
    levels: option(
      v.union([v.literal(2), v.literal(3)]),
      2,
      '2: paths of the picture and of the last layer; 3: also a path of an earlier layer',
    ),
    steps: option(
      v.pipe(integer, v.minValue(1), v.maxValue(1000)),
      10,
      'number of points on each path',
    ),
    blocks: option(
      v.picklist(['last', 'all']),
      'last',
      'for transformers: whether the attention of the last block is interpolated (of the ' +
        'last two blocks with levels 3), or the attention of all blocks together',
    ),
    paths: option(
      v.picklist(['both', 'image', 'activations']),
      'both',
      'which paths are used; image and activations alone are ablations of the paper',
    ),
    baseline: baselineOption,
    ...camOptions,
  }),

  async explain(context) {
    const { model, input, targets, options } = context;
    const start = fullBaseline(createBaseline(options.baseline, model, input), input).data;
    const attention = options.layer === 'last' ? transformerAttention(model, input) : undefined;
    if (!attention) return explainLayerPaths(context, start);
    return explainAttention(
      { ...context, ...options, score: options.output, attention, start },
      targets.map((target) => target.index),
    );
  },
});
