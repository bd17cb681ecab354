import type { Node, Shape } from '../onnx/index.ts';
import type { Ops } from './ops.ts';

/** One node of the forward pass, as its gradient rule sees it. */
export interface RuleContext {
  readonly node: Node;
  /** Version of the operator set that the node is from. */
  readonly opset: number;
  /** Emits nodes. */
  readonly ops: Ops;
  /** Whether a gradient of input `index` is wanted. */
  needs(index: number): boolean;
  /** Whether the node is given input `index`. */
  has(index: number): boolean;
  /** The name of input `index`; an error if the node leaves it out. */
  name(index: number): string;
  /** The tensor at input `index`, converted to float32 if it has half precision. */
  input(index: number): string;
  /** The tensor at output `index`, likewise. If the node leaves it out, the node is extended. */
  output(index: number): string;
  /** The shape of input `index`; an error if its rank is not known. */
  shape(index: number): Shape;
  /** The elements of input `index` if they are known without running the graph; else null. */
  numbers(index: number): readonly number[] | null;
  /**
   * Ends the differentiation: `reason` completes "the gradient of Conv needs …".
   * @throws FoveaError `unsupported`, naming the node.
   */
  refuse(reason: string): never;
}

/** The gradients of the outputs of a node: the first one, then those of the others. */
export type OutputGradients = readonly [string, ...string[]];

/**
 * The gradient of one operator. `dy` holds the gradient of each output, '' if none arrives. The
 * result holds the gradient of each input, '' or nothing if there is none. A result may still have
 * the broadcast shape of the output: the walk sums it to the shape of its input. All gradients of
 * half-precision tensors are float32.
 */
export type GradientRule = (at: RuleContext, dy: OutputGradients) => readonly string[];

/** What is known of the gradient of an operator. */
export type RuleEntry =
  | {
      readonly kind: 'rule';
      readonly rule: GradientRule;
      /** Inputs that never get a gradient: shapes, axes, indices, running statistics. */
      readonly stop: readonly number[];
      /** Whether the rule takes gradients of other outputs than the first. */
      readonly allOutputs: boolean;
      /** Whether gradients flow through outputs that are integers, as if they were not rounded. */
      readonly straightThrough: boolean;
    }
  | { readonly kind: 'zero'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** Entries by operator type, `domain:OpType` outside the default domain. */
export type RuleTable = Readonly<Record<string, RuleEntry>>;

/** An operator with a gradient; `stop` lists the inputs that never get one. */
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

/** An operator whose gradient is zero wherever it exists. */
export function zero(reason: string): RuleEntry {
  return { kind: 'zero', reason };
}

/** An operator through which Fovea cannot differentiate. */
export function refused(reason: string): RuleEntry {
  return { kind: 'refused', reason };
}
