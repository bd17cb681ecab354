import { FoveaError } from '../errors.ts';
import { dataInputs, type OnnxModel, withGraph } from '../onnx/index.ts';
import { isBackwardRules, plain, type ReadyGraph, type RuleSet } from './backward-rules.ts';
import { differentiate, type GradientGraph, type GradientOptions } from './gradient-graph.ts';
import { nodesBetween } from './mark-path.ts';
import { loadPrepare, type Prepare } from './passes/prepare.ts';
import type { RuleTable } from './rule.ts';
import { loadRules } from './rules/load.ts';

/** What to differentiate, and by which rules. */
export interface GradientModelOptions extends Omit<GradientOptions, 'rules'> {
  /** The rules of the backward pass. Default: `plain`. */
  readonly rules?: RuleSet;
  /**
   * The graph input that rules with a reference compare with the reference. Default: the only
   * input.
   */
  readonly input?: string;
  /**
   * Whether the model was made by `prepareModel`, or composed from such a model. Then it is not
   * prepared again. Default: false.
   */
  readonly isPrepared?: boolean;
}

/** A model with a forward and a backward pass. */
export interface GradientModel extends Omit<GradientGraph, 'graph'> {
  /**
   * The model. Its inputs are those of the given model, then the cotangent. Its outputs are
   * `outputs`, then the gradients.
   */
  readonly model: OnnxModel;
  /**
   * The input [1, …] that takes the reference with which the pictures are compared. Null if the
   * rules have no reference.
   */
  readonly reference: string | null;
}

/**
 * A prepared model. `differentiate` does the remaining work with the given table of gradient rules.
 */
export interface ReadyModel extends ReadyGraph {
  differentiate(table: RuleTable): GradientModel;
}

/** Prepares a model, and calls `prepare` of the rule set if the set has it. */
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

/**
 * The graph input that the rules `name` start from: the given one, or the only input of the model.
 */
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
 * Computes `gradientModel`, but loads the modules of passes and of gradient rules only if the model
 * needs them. So a page that explains one network fetches only a small part of the library.
 * @throws FoveaError as `gradientModel` does.
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
