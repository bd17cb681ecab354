import {
  deepLiftRules,
  foldBatchNormalization,
  type GradientRule,
  gradientGraph,
  gradientRules,
  lrpRules,
  prepareGraph,
  type RuleLookup,
  type RuleTable,
  rule,
  transformerAttributionRules,
  withReference,
} from '../autodiff/index.ts';
import { type Graph, type OnnxModel, withGraph } from '../onnx/index.ts';
import type { BackwardRules } from './model.ts';

/**
 * y = max(x, 0), as DeconvNet has it: dx = max(dy, 0); the gate of the forward pass is left out.
 */
const deconvRelu: GradientRule = (at, [dy]) => [at.ops.op('Relu', [dy])];

/** The rule of the table, then max(·, 0): for Relu dx = max(dy, 0) [y > 0]. */
function clamped(operator: string): GradientRule {
  return (at, dy) => {
    const entry = gradientRules[operator];
    const results = entry.kind === 'rule' ? entry.rule(at, dy) : [];
    return results.map((dx) => (dx === '' ? '' : at.ops.op('Relu', [dx])));
  };
}

/**
 * The ReLU and the cut at 6 of a ReLU6 are two steps: y = min(max(x, 0), 6). The second keeps its
 * own gradient, so that guided: dx = max(dy, 0) [0 < y < 6], and DeconvNet: dx = max(dy [y < 6],
 * 0).
 */
const deconvClip: GradientRule = (at, [dy]) => {
  const high = at.node.attributes.get('max');
  const bound = high?.type === 'float' ? high.value : at.has(2) ? at.numbers(2)?.[0] : undefined;
  const below = bound === undefined ? dy : at.ops.mul(dy, at.ops.below(at.output(0), bound));
  return [at.ops.op('Relu', [below])];
};

const tables: Readonly<Record<string, RuleTable>> = {
  plain: {},
  'guided-backprop': { Relu: rule(clamped('Relu')), Clip: rule(clamped('Clip'), { stop: [1, 2] }) },
  deconvnet: { Relu: rule(deconvRelu), Clip: rule(deconvClip, { stop: [1, 2] }) },
};

/** A graph that is ready to be differentiated by some rules. */
interface Ready {
  readonly graph: Graph;
  readonly rules: RuleTable | RuleLookup;
  readonly reference: string | null;
}

function ready(
  graph: Graph,
  rules: BackwardRules,
  input: string,
  keep: ReadonlySet<string>,
): Ready {
  if (rules === 'deep-lift') {
    const referenced = withReference(graph, input);
    return {
      graph: referenced.graph,
      rules: deepLiftRules(referenced),
      reference: referenced.reference,
    };
  }
  if (rules === 'transformer-attribution')
    return { graph, rules: transformerAttributionRules(graph), reference: null };
  if (typeof rules === 'string') return { graph, rules: tables[rules], reference: null };
  const folded = foldBatchNormalization(graph, keep);
  return { graph: folded, rules: lrpRules(folded, rules), reference: null };
}

/** What to differentiate, and how. */
export interface Differentiation {
  readonly of: string;
  readonly wrt: readonly string[];
  readonly outputs: readonly string[];
  readonly rules: BackwardRules;
  /** The input that a reference stands beside. */
  readonly input: string;
}

/** A model with a backward pass. */
export interface Differentiated {
  readonly model: OnnxModel;
  readonly cotangent: string;
  readonly gradients: ReadonlyMap<string, string>;
  /** The input that takes the reference of DeepLIFT. */
  readonly reference: string | null;
}

/** The model that also goes backward by `rules`. */
export function differentiate(
  model: OnnxModel,
  { of, wrt, outputs, rules, input }: Differentiation,
): Differentiated {
  const keep = [of, ...wrt, ...outputs];
  const {
    graph,
    rules: entries,
    reference,
  } = ready(prepareGraph(model, { keep }), rules, input, new Set(keep));
  const {
    graph: whole,
    cotangent,
    gradients,
  } = gradientGraph(graph, { of, wrt, outputs, rules: entries });
  return { model: withGraph({ ...model, functions: [] }, whole), cotangent, gradients, reference };
}
