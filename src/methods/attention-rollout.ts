import * as v from 'valibot';
import { FoveaError } from '../errors.ts';
import { requireInside } from '../model/model.ts';
import { defineMethod } from './method.ts';
import {
  firstBlockOption,
  fromTokens,
  meanOverHeads,
  requireAttention,
  rolloutRow,
} from './shared/attention.ts';

/**
 * Attention rollout (Abnar & Zuidema 2020): how much of each patch reaches the class token, if
 * attention is read as a flow of information. The map [H, W] is 0 or positive.
 *
 *   map = class row of Ã_L ⋯ Ã_1,   Ã_l = (mean_h A_l + I) / 2
 *
 * Each row of A sums to one, so each row of Ã and of the product sums to one too. The map does not
 * depend on the class.
 */
export const attentionRollout = defineMethod({
  name: 'attention-rollout',
  title: 'Attention rollout',
  family: 'attention',
  paper: 'Abnar & Zuidema, Quantifying Attention Flow in Transformers, ACL 2020, arXiv:2005.00928',
  needs: ['attention', 'features'],
  signed: false,
  cost: '1 forward',
  options: v.object({
    firstBlock: v.optional(firstBlockOption, 0),
  }),

  async explain({ model, input, targets, options, progress }) {
    const attention = requireAttention(model, input, 'attention-rollout');
    const { maps } = attention;
    const names = maps.slice(options.firstBlock).map((map) => map.name);
    if (names.length === 0)
      throw new FoveaError(
        'usage',
        `attention-rollout.firstBlock = ${options.firstBlock}: expected 0 to ${maps.length - 1}`,
      );
    const values = await requireInside(model).activations(names, input);
    progress(1);
    const matrices = values.map((value) => meanOverHeads([value], (a) => a));
    const attribution = fromTokens(attention, rolloutRow(attention, matrices, true), input);
    return targets.map(() => attribution);
  },
});
