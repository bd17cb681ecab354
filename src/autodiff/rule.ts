import type { Node, Shape } from '../onnx/index.ts';
import type { Ops } from './ops.ts';

/** One node of the forward pass, for its gradient rule. */
export interface RuleContext {
  readonly node: Node;
  /** Version of the operator set that the node is from. */
  readonly opset: number;
  /** Emits nodes. */
  readonly ops: Ops;
  /** Whether the gradient of input `index` is needed. */
  needs(index: number): boolean;
  /** Whether the node has input `index`. */
  has(index: number): boolean;
  /**
   * The name of input `index`.
   * @throws FoveaError `model` if the node leaves it out.
   */
  name(index: number): string;
  /** The tensor at input `index`, converted to float32 if it has half precision. */
  input(index: number): string;
  /**
   * The tensor at output `index`, converted to float32 if it has half precision. If the node does
   * not have this output, the output is added to the node.
   */
  output(index: number): string;
  /**
   * The shape of input `index`.
   * @throws FoveaError `unsupported` if its rank is not known.
   */
  shape(index: number): Shape;
  /** The elements of input `index` if they are known without running the graph, else null. */
  numbers(index: number): readonly number[] | null;
  /**
   * Ends the differentiation: `reason` completes "the gradient of Conv needs …".
   * @throws FoveaError `unsupported`, naming the node.
   */
  refuse(reason: string): never;
}

/** The gradients of the outputs of a node, in their order. There is at least one. */
export type OutputGradients = readonly [string, ...string[]];

/**
 * The gradient rule of one operator. `dy` contains the name of the gradient of each output, or ''
 * if an output has no gradient. The rule returns the name of the gradient of each input; '' or a
 * missing element means no gradient. A returned gradient may have the broadcast shape of the
 * output: `gradientGraph` then sums it to the shape of the input. All gradients of half-precision
 * tensors are float32.
 */
export type GradientRule = (at: RuleContext, dy: OutputGradients) => readonly string[];

/**
 * An entry of a rule table: an operator with a gradient rule, with a zero gradient, or without a
 * gradient.
 */
export type RuleEntry =
  | {
      readonly kind: 'rule';
      readonly rule: GradientRule;
      /** Inputs that never get a gradient: shapes, axes, indices, running statistics. */
      readonly stop: readonly number[];
      /** Whether the rule uses the gradients of outputs other than the first one. */
      readonly allOutputs: boolean;
      /** Whether gradients pass through integer outputs, as if these were not rounded. */
      readonly straightThrough: boolean;
    }
  | { readonly kind: 'zero'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** Entries by operator type. Outside the default domain, the key is `domain:OpType`. */
export type RuleTable = Readonly<Record<string, RuleEntry>>;

/**
 * Declares an operator with a gradient rule. `stop` lists the inputs that never get a gradient
 * (default none), `allOutputs` says whether the rule uses the gradients of all outputs (default
 * false), and `straightThrough` whether gradients pass through integer outputs (default false).
 */
export function rule(
  gradient: GradientRule,
  {
    stop = [],
    allOutputs = false,
    straightThrough = false,
  }: {
    readonly stop?: readonly number[];
    readonly allOutputs?: boolean;
    readonly straightThrough?: boolean;
  } = {},
): RuleEntry {
  return { kind: 'rule', rule: gradient, stop, allOutputs, straightThrough };
}

/**
 * Declares an operator whose gradient is zero wherever it exists. `reason` is used in error
 * messages.
 */
export function zero(reason: string): RuleEntry {
  return { kind: 'zero', reason };
}

/** Declares an operator that Fovea cannot differentiate. `reason` is used in error messages. */
export function refused(reason: string): RuleEntry {
  return { kind: 'refused', reason };
}
