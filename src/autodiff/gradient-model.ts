import { FoveaError } from '../errors.ts';
import { dataInputs, type OnnxModel, withGraph } from '../onnx/index.ts';
import { isBackwardRules, plain, type ReadyGraph, type RuleSet } from './backward-rules.ts';
import { differentiate, type GradientGraph, type GradientOptions } from './gradient-graph.ts';
import { nodesBetween } from './mark-path.ts';
import { loadPrepare, type Prepare } from './passes/prepare.ts';
import type { RuleTable } from './rule.ts';
import { loadRules } from './rules/load.ts';

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

/** A prepared model, with what is left to do once the gradients of its operators are known. */
export interface ReadyModel extends ReadyGraph {
  differentiate(table: RuleTable): GradientModel;
}

/** Prepares a model, and has its rule set look at it. */
export function readyModel(
  model: OnnxModel,
  { rules = plain, input, ...options }: GradientModelOptions,
  prepare: Prepare | null,
): ReadyModel {
  const { of, wrt, outputs = [], inputShapes } = options;
  const prepared = prepare
    ? prepare(model, { keep: [of, ...wrt, ...outputs], inputShapes })
    : model;
  const ready = isBackwardRules(rules)
    ? rules.prepare(prepared.graph, {
        ...{ of, wrt, outputs },
        input: inputOf(prepared, input, rules.name),
      })
    : { graph: prepared.graph, rules };
  return {
    ...ready,
    differentiate(table) {
      const { graph, ...names } = differentiate(
        ready.graph,
        { ...options, rules: ready.rules },
        table,
      );
      return { model: withGraph(prepared, graph), ...names, reference: ready.reference ?? null };
    },
  };
}

/** The graph input that the rules `name` start from. */
function inputOf({ graph }: OnnxModel, input: string | undefined, name: string): string {
  const inputs = dataInputs(graph).map((each) => each.name);
  const start = input ?? (inputs.length === 1 ? inputs[0] : undefined);
  if (start === undefined)
    throw new FoveaError(
      'usage',
      `the model has ${inputs.length} inputs (${inputs.join(', ') || 'none'}): ` +
        `name in the option input the one that ${name} starts from`,
    );
  return start;
}

/**
 * `gradientModel`, but the passes and the gradients of operators are modules that are loaded if the
 * model needs them. A page that explains one network fetches little of the library.
 */
export async function loadGradientModel(
  model: OnnxModel,
  options: GradientModelOptions,
): Promise<GradientModel> {
  const prepare = options.isPrepared ? null : await loadPrepare(model);
  const ready = readyModel(model, options, prepare);
  const { wrt, of } = options;
  return ready.differentiate(await loadRules(nodesBetween(ready.graph, wrt, of)));
}
