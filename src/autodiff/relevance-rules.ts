import type { BackwardRules } from './backward-rules.ts';
import { foldBatchNormalization } from './passes/fold-batch-normalization.ts';
import { foldLinear } from './passes/fold-linear.ts';
import { deepLiftRules, withReference } from './relevance/deep-lift.ts';
import { type LrpOptions, lrpRules } from './relevance/lrp.ts';
import { transformerAttributionRules } from './relevance/transformer-attribution.ts';

/**
 * DeepLIFT with the rescale rule (Shrikumar et al. 2017). The returned gradients are multipliers m
 * with Σ m_x Δx = Δy. The graph gets an additional input for the reference.
 */
export const deepLift: BackwardRules = {
  name: 'deep-lift',
  key: '',
  prepare(graph, { input }) {
    const referenced = withReference(graph, input);
    return {
      graph: referenced.graph,
      rules: deepLiftRules(referenced),
      reference: referenced.reference,
    };
  },
};

/**
 * The relevance propagation of transformer attribution (Chefer et al. 2021). The returned gradients
 * are relevances.
 */
export const transformerAttribution: BackwardRules = {
  name: 'transformer-attribution',
  key: '',
  prepare: (graph) => ({ graph, rules: transformerAttributionRules(graph) }),
};

/**
 * Layer-wise relevance propagation (Bach et al. 2015). The returned gradients are relevances.
 * First, nodes that exporters write around a linear layer (padding, bias, batch normalization) are
 * folded into the layer.
 */
export function lrp(options: LrpOptions): BackwardRules {
  return {
    name: 'lrp',
    key: JSON.stringify(options),
    prepare(graph, { of, wrt, outputs }) {
      const keep = new Set([of, ...wrt, ...outputs]);
      const folded = foldBatchNormalization(foldLinear(graph, keep), keep);
      return { graph: folded, rules: lrpRules(folded, options) };
    },
  };
}
