import type { Graph, TensorInfo } from '../onnx/index.ts';
import { type Arithmetic, arithmetic } from './emit/arithmetic.ts';
import { createEmitter, type Emitter, type NodeOps } from './emit/emitter.ts';
import { type Layout, layout } from './emit/layout.ts';
import { type Selection, selection } from './emit/selection.ts';

/**
 * Emits the nodes of a backward pass, and infers the shape of every emitted tensor. It hides
 * differences between operator sets, such as axes as an attribute or as an input, so that rules
 * read like formulas.
 */
export interface Ops extends NodeOps, Arithmetic, Layout, Selection {
  /**
   * Cache for the softmax rule: for a gradient `da` of `a`, two smaller tensors l, r with
   * Σ l·r = Σ a·da along the last axis. The keys are the gradients.
   */
  readonly shorterSums: Map<string, readonly [a: string, left: string, right: string]>;
}

/**
 * Creates the operations for a graph. `known` contains the inferred information on the graph's
 * tensors. The information on emitted tensors is added to it.
 */
export function createOps(
  graph: Graph,
  known: Map<string, TensorInfo>,
): Ops & Pick<Emitter, 'emitted' | 'fresh'> {
  const emitter = createEmitter(graph, known);
  return {
    ...emitter,
    ...arithmetic(emitter),
    ...layout(emitter),
    ...selection(emitter),
    shorterSums: new Map(),
  };
}
