import * as v from 'valibot';
import { type NamedRules, ruleSets } from '../autodiff/index.ts';
import { option } from '../options.ts';
import { defineMethod } from './method.ts';
import { explainPixels, pixelOptions } from './shared/gradients.ts';

/** Whether a value was made by `defineRules`. */
const isNamedRules = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'rules' in value && 'name' in value;

/**
 * The gradient of the score with respect to the pixels (Simonyan, Vedaldi & Zisserman 2014): how
 * much the score changes per small change of a pixel. The map [H, W] is signed and in the unit of
 * score per normalized pixel value.
 *
 *   map[p] = reduce over channels of dS / dx[p]
 *
 * With other `rules`, the map shows what these rules return in place of the gradient. An unknown
 * name of a rule set is a FoveaError `usage`.
 */
export const gradient = defineMethod({
  name: 'gradient',
  title: 'Gradient',
  family: 'gradient',
  paper:
    'Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, ICLR workshop 2014, ' +
    'arXiv:1312.6034',
  needs: ['gradients'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: v.object({
    ...pixelOptions,
    rules: option(
      v.union([v.string(), v.custom<NamedRules>(isNamedRules)]),
      'plain',
      'how the backward pass is computed: the name of a registered rule set, or a rule set ' +
        'made by defineRules',
    ),
  }),

  explain(context) {
    const { rules } = context.options;
    const named = typeof rules === 'string' ? ruleSets.get(rules) : rules;
    return explainPixels(context, { rules: named.rules });
  },
});
