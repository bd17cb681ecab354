import * as v from 'valibot';
import { transformerAttribution as rules } from '../autodiff/index.ts';
import { FoveaError } from '../errors.ts';
import { integer, option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { defineMethod } from './method.ts';
import {
  fromTokens,
  meanOverHeads,
  positiveProduct,
  requireAttention,
  rolloutRow,
} from './shared/attention.ts';
import { gradientsOf, outputOption } from './shared/gradients.ts';

/**
 * Transformer attribution (Chefer, Gur & Wolf 2021): the gradient of each attention map times the
 * relevance of the attention map, rolled out. The map [H, W] is 0 or positive.
 *
 *   map = class row of (I + Ā_L) ⋯ (I + Ā_1),   Ā_l = mean_h max(dS/dA_l ⊙ R_l, 0)
 *
 * R_l is the relevance that deep Taylor decomposition (α = 1) propagates from the class, as in the
 * paper.
 */
export const tAttr = defineMethod({
  name: 't-attr',
  title: 'T-Attr',
  family: 'attention',
  paper:
    'Chefer, Gur & Wolf, Transformer Interpretability Beyond Attention Visualization, CVPR ' +
    '2021, arXiv:2012.09838',
  needs: ['attention', 'gradients'],
  uses: ['features'],
  signed: false,
  cost: '2 forward and 2 backward',
  options: v.object({
    firstBlock: v.pipe(
      v.optional(v.pipe(integer, v.minValue(0))),
      v.description(
        'the first block of the rollout, counted from 0; if not given: 1, or 0 if the ' +
          'network has only one block',
      ),
    ),
    relevance: option(
      v.picklist(['propagated', 'attention']),
      'propagated',
      'which R is used: the relevance that is propagated to the attention, or the attention ' +
        'itself with normalized rows, as in a variant in the code of IIA',
    ),
    output: outputOption,
  }),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const attention = requireAttention(model, input, 't-attr');
    const firstBlock = options.firstBlock ?? Math.min(1, attention.maps.length - 1);
    const wrt = attention.maps.slice(firstBlock).map((map) => map.name);
    if (wrt.length === 0)
      throw new FoveaError(
        'usage',
        `t-attr.firstBlock = ${firstBlock}: expected 0 to ${attention.maps.length - 1}`,
      );
    const attributions = [];
    for (const [t, { index }] of targets.entries()) {
      const request = { batch: input, wrt, targets: [index], batchSize };
      const plain = await gradientsOf(model, { ...request, score: options.output });
      const isPropagated = options.relevance === 'propagated';
      const relevance = isPropagated
        ? (await gradientsOf(model, { ...request, rules })).gradients
        : plain.values;
      const matrices = wrt.map((_, l) =>
        meanOverHeads([at(plain.gradients, l), at(relevance, l)], positiveProduct),
      );
      attributions.push(
        fromTokens(attention, rolloutRow(attention, matrices, !isPropagated), input),
      );
      progress((t + 1) / targets.length);
    }
    return attributions;
  },
});
