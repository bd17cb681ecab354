import { FoveaError } from '../errors.ts';
import { dataInputs, type OnnxModel, withGraph } from '../onnx/index.ts';
import {
  type BackwardTask,
  isBackwardRules,
  plain,
  type ReadyGraph,
  type RuleSet,
} from './backward-rules.ts';
import { type GradientGraph, type GradientOptions, gradientGraph } from './gradient-graph.ts';
import { type PrepareOptions, prepareGraph } from './passes/index.ts';
import { raiseOpset } from './passes/raise-opset.ts';

/** What to differentiate, by which rules. */
export interface GradientModelOptions extends Omit<GradientOptions, 'rules'> {
  /** How the backward pass is computed: `plain` by default. */
  readonly rules?: RuleSet;
  /** The graph input that rules with a reference compare; by default the only one. */
  readonly input?: string;
  /**
   * Whether the model comes from `prepareModel`, or was put together from such a model, so that it
   * is not prepared again.
   */
  readonly isPrepared?: boolean;
}

/** A model with a forward and a backward pass. */
export interface GradientModel extends Omit<GradientGraph, 'graph'> {
  /**
   * Its inputs are those of the model, then the cotangent; its outputs `outputs`, then the
   * gradients.
   */
  readonly model: OnnxModel;
  /** The input [1, …] that takes what the input is compared with; null for rules without one. */
  readonly reference: string | null;
}

/**
 * The model in the form that differentiates best: local functions, fused operators and the pieces
 * that exporters write are replaced by operators with a gradient rule, and operator sets 13 to 15
 * become 16, and 7 and 8 become 9. It computes the same.
 */
export function prepareModel(model: OnnxModel, options: PrepareOptions = {}): OnnxModel {
  return withGraph({ ...model, functions: [] }, raiseOpset(prepareGraph(model, options)));
}

/**
 * The model that computes gradients of a model, whatever exporter wrote it, or what `rules` put in
 * their place. This is the only way that Fovea builds a backward pass.
 * @throws FoveaError `model` if a tensor does not exist or `of` does not depend on it,
 * `unsupported` naming the operator that cannot be differentiated.
 */
export function gradientModel(model: OnnxModel, options: GradientModelOptions): GradientModel {
  const { of, wrt, outputs = [], rules = plain, inputShapes, isPrepared = false } = options;
  const keep = [of, ...wrt, ...outputs];
  const prepared = isPrepared ? model : prepareModel(model, { keep, inputShapes });
  const ready = readyGraph(prepared, rules, { of, wrt, outputs }, options.input);
  const { graph, cotangent, gradients } = gradientGraph(ready.graph, {
    of,
    wrt,
    outputs,
    rules: ready.rules,
    inputShapes,
  });
  return {
    model: withGraph(prepared, graph),
    cotangent,
    gradients,
    reference: ready.reference ?? null,
  };
}

function readyGraph(
  { graph }: OnnxModel,
  rules: RuleSet,
  task: Omit<BackwardTask, 'input'>,
  input: string | undefined,
): ReadyGraph {
  if (!isBackwardRules(rules)) return { graph, rules };
  const inputs = dataInputs(graph).map(({ name }) => name);
  const start = input ?? (inputs.length === 1 ? inputs[0] : undefined);
  if (start === undefined)
    throw new FoveaError(
      'usage',
      `the model has ${inputs.length} inputs (${inputs.join(', ') || 'none'}): ` +
        `name in the option input the one that ${rules.name} starts from`,
    );
  return rules.prepare(graph, { ...task, input: start });
}
