import * as v from 'valibot';
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
 * Generic attention explainability (Chefer, Gur & Wolf 2021), for transformers with self-attention
 * only: relevance R is passed from block to block. The map [H, W] is 0 or positive.
 *
 *   R = I,   R ← R + mean_h max(dS/dA_l ⊙ A_l, 0) R,   map = class row of R
 */
export const gae = defineMethod({
  name: 'gae',
  title: 'GAE',
  family: 'attention',
  paper:
    'Chefer, Gur & Wolf, Generic Attention-model Explainability for Interpreting Bi-Modal ' +
    'and Encoder-Decoder Transformers, ICCV 2021, arXiv:2103.15679',
  needs: ['attention', 'gradients'],
  uses: ['features'],
  signed: false,
  cost: '1 forward and 1 backward',
  options: v.object({
    output: outputOption,
  }),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const attention = requireAttention(model, input, 'gae');
    const wrt = attention.maps.map((map) => map.name);
    return Promise.all(
      targets.map(async ({ index }, t) => {
        const { values, gradients } = await gradientsOf(model, {
          batch: input,
          wrt,
          targets: [index],
          score: options.output,
          batchSize,
        });
        progress((t + 1) / targets.length);
        const matrices = wrt.map((_, l) =>
          meanOverHeads([at(gradients, l), at(values, l)], positiveProduct),
        );
        return fromTokens(attention, rolloutRow(attention, matrices, false), input);
      }),
    );
  },
});
