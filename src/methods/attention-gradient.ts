import * as v from 'valibot';
import { FoveaError } from '../errors.ts';
import { integer, option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { defineMethod } from './method.ts';
import { fromTokens, meanOverHeads, readRow, requireAttention } from './shared/attention.ts';
import { gradientsOf, outputOption, repeat } from './shared/gradients.ts';

/**
 * Attention × gradient (Barkan et al. 2021, for one block): which patches the class token attends
 * to in one block, and whether this attention raises the score of the class. The map [H, W] is 0 or
 * positive by default; with `relu: false` it is signed.
 *
 *   map = class row of mean_h max(0, dS/dA_l) ⊙ A_l
 */
export const attentionGradient = defineMethod({
  name: 'attention-gradient',
  title: 'Attention × gradient',
  family: 'attention',
  paper:
    'Barkan et al., Grad-SAM: Explaining Transformers via Gradient Self-Attention Maps, CIKM ' +
    '2021, arXiv:2204.11073',
  needs: ['attention', 'gradients'],
  uses: ['features'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: v.object({
    block: option(
      integer,
      -1,
      'the block whose attention is used, counted from 0; negative numbers count from the ' +
        'end: -1 is the last block',
    ),
    relu: option(
      v.boolean(),
      true,
      'whether negative gradients, evidence against the class, are set to zero in each head, ' +
        'as in the paper',
    ),
    output: outputOption,
  }),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const attention = requireAttention(model, input, 'attention-gradient');
    const map = attention.maps.at(options.block);
    if (!map) {
      const { length } = attention.maps;
      throw new FoveaError(
        'usage',
        `attention-gradient.block = ${options.block}: expected ${-length} to ${length - 1}, ` +
          `as ${model.name} has ${length} blocks`,
      );
    }
    const classes = targets.map((target) => target.index);
    const batch = repeat(input, classes.length);
    const { values, gradients } = await gradientsOf(model, {
      batch,
      wrt: [map.name],
      targets: classes,
      score: options.output,
      batchSize,
    });
    progress(1);
    const product = (g: number, a: number): number => (options.relu ? Math.max(0, g * a) : g * a);
    return targets.map((_, t) => ({
      ...fromTokens(
        attention,
        readRow(attention, meanOverHeads([at(gradients, 0), at(values, 0)], product, t)),
        input,
        {},
        map.name,
      ),
      ...(options.relu && { signed: false }),
    }));
  },
});
