import * as v from 'valibot';
import { type BackwardRules, lrp as lrpRules } from '../autodiff/index.ts';
import { normalizeColour } from '../model/input/preprocessing.ts';
import { INPUT, type Model } from '../model/model.ts';
import { number, option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { slab } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import { gradientsOf, pixelAttribution, reduceOption, repeat } from './shared/gradients.ts';

/**
 * The rules of each composite: for the first convolution, for other convolutions, and for dense
 * layers.
 */
const composites = {
  'epsilon-plus': ['z-plus', 'z-plus', 'epsilon'],
  'epsilon-plus-flat': ['flat', 'z-plus', 'epsilon'],
  'epsilon-gamma-box': ['box', 'gamma', 'epsilon'],
  'epsilon-alpha-beta': ['alpha-beta', 'alpha-beta', 'epsilon'],
  epsilon: ['epsilon', 'epsilon', 'epsilon'],
  gamma: ['gamma', 'gamma', 'gamma'],
  'alpha-beta': ['alpha-beta', 'alpha-beta', 'alpha-beta'],
} as const;

/** The parameters of the rules. */
interface Parameters {
  readonly composite: keyof typeof composites;
  readonly epsilon: number;
  readonly gamma: number;
  readonly alpha: number;
}

/**
 * The rules of a composite for a model. The bounds of the box rule are black and white,
 * preprocessed.
 */
function rulesFor(model: Model, { composite, ...parameters }: Parameters): BackwardRules {
  const [first, convolution, dense] = composites[composite];
  const inputOf = (level: number): number[] => [
    ...normalizeColour([level, level, level], model.preprocessing).data,
  ];
  const [black, white] = [inputOf(0), inputOf(255)];
  const low = black.map((value, c) => Math.min(value, at(white, c)));
  const high = black.map((value, c) => Math.max(value, at(white, c)));
  return lrpRules({ first, convolution, dense, ...parameters, low, high });
}

/**
 * Layer-wise relevance propagation (Bach et al. 2015): the logit is distributed backward, layer by
 * layer. Each input of a layer gets the share that it contributed. Batch normalization is folded
 * into convolutions first. The map [H, W] is signed and in logits.
 *
 *   epsilon      R_i = Σ_j x_i w_ij / (z_j + ε sign z_j) R_j
 *   gamma        as epsilon; products with the sign of z_j count 1 + γ times
 *   alpha-beta   R_i = Σ_j (α (x_i w_ij)⁺ / z_j⁺ - (α - 1) (x_i w_ij)⁻ / z_j⁻) R_j
 */
export const lrp = defineMethod({
  name: 'lrp',
  title: 'LRP',
  family: 'gradient',
  paper:
    'Bach et al., On Pixel-Wise Explanations for Non-Linear Classifier Decisions by ' +
    'Layer-Wise Relevance Propagation, PLOS ONE 2015; composites: Montavon et al., 2019',
  needs: ['gradients'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: v.object({
    composite: option(
      v.picklist(
        Object.keys(composites) as [keyof typeof composites, ...(keyof typeof composites)[]],
      ),
      'epsilon-plus',
      'which rules are used: epsilon for dense layers, z-plus (alpha 1, beta 0), gamma or ' +
        'alpha-beta for convolutions, and flat or box for the first convolution; or one rule ' +
        'for all layers',
    ),
    epsilon: option(
      v.pipe(number, v.gtValue(0)),
      1e-6,
      'added to the divisor of the epsilon rule, in units of the layer',
    ),
    gamma: option(
      v.pipe(number, v.minValue(0)),
      0.25,
      'γ: how much more positive weights count in the gamma rule',
    ),
    alpha: option(
      v.pipe(number, v.minValue(1)),
      2,
      'weight of positive parts in the alpha-beta rule; beta is alpha - 1',
    ),
    reduce: reduceOption,
  }),

  async explain({
    model,
    input,
    targets,
    options: { reduce, ...parameters },
    batchSize,
    progress,
  }) {
    const classes = targets.map((target) => target.index);
    const rules = rulesFor(model, parameters);
    const { gradients, scores } = await gradientsOf(model, {
      batch: repeat(input, classes.length),
      wrt: [INPUT],
      targets: classes,
      rules,
      batchSize,
    });
    progress(1);
    return targets.map((_, t) => {
      const score = at(scores.data, t);
      const relevance = slab(at(gradients, 0), t).data.map((r) => r * score);
      return { ...pixelAttribution(relevance, input, reduce), extras: { score } };
    });
  },
});
