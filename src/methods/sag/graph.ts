import { at } from '../../tensor/at.ts';
import type { PatchScorer } from './patch-scorer.ts';
import { type PatchSet, patchesOf, withoutPatch } from './patch-set.ts';
import type { SagEdge, SagNode } from './schema.ts';
import type { SufficientSet } from './search.ts';

/** The limits of a graph. */
export interface GraphOptions {
  /** Nodes above this confidence get children. */
  readonly expandAbove: number;
  /** The largest number of children per node, in the order of the deleted patch; 0 means all. */
  readonly maxChildren: number;
  /** `dag`: equal sets are one node. `tree`: each occurrence of a set is a node. */
  readonly structure: 'dag' | 'tree';
  /** The largest number of nodes. */
  readonly maxNodes: number;
}

/**
 * The nodes by rising number, breadth first, and the edges. The roots come first. Each edge has the
 * patch that it deletes.
 */
export interface SagGraph {
  readonly nodes: readonly SagNode[];
  readonly edges: readonly SagEdge[];
  /** Whether nodes are missing because of `maxNodes` or the limit on model calls. */
  readonly truncated: boolean;
}

interface Child {
  readonly parent: number;
  readonly removed: number;
  readonly set: PatchSet;
}

/**
 * The children that can be placed: those that are already a node (only if `places` is given), and
 * as many new ones as there are free places.
 */
function withPlaces(
  children: readonly Child[],
  free: number,
  places: ReadonlyMap<PatchSet, number> | undefined,
): Child[] {
  const added = new Set<PatchSet>();
  let left = free;
  return children.filter(({ set }) => {
    if (places?.has(set) || added.has(set)) return true;
    if (left-- <= 0) return false;
    if (places) added.add(set);
    return true;
  });
}

/**
 * Builds the graph below the given roots. Each node above the confidence `expandAbove` has a child
 * for every patch that can be deleted. Confidence is the probability of a node divided by the
 * probability of the whole picture, `whole`. Each level is scored in one batch.
 */
export async function buildGraph(
  scorer: PatchScorer,
  roots: readonly SufficientSet[],
  whole: number,
  options: GraphOptions,
): Promise<SagGraph> {
  const { expandAbove, maxChildren, structure, maxNodes } = options;
  const nodes: SagNode[] = [];
  const edges: SagEdge[] = [];
  const places = new Map<PatchSet, number>();
  let truncated = false;

  const place = (set: PatchSet, probability: number, root: boolean): number => {
    const id = nodes.length;
    nodes.push({
      id,
      patches: patchesOf(set),
      probability,
      confidence: whole > 0 ? probability / whole : 0,
      root,
    });
    places.set(set, id);
    return id;
  };
  const childrenOf = (id: number): Child[] => {
    const { patches, confidence } = at(nodes, id);
    if (!(confidence > expandAbove) || patches.length < 2) return [];
    const set = patches.reduce((bits, patch) => bits | (1n << BigInt(patch)), 0n);
    return patches
      .slice(0, maxChildren || patches.length)
      .map((removed) => ({ parent: id, removed, set: withoutPatch(set, removed) }));
  };
  let level = roots.map(({ set, probability }) => place(set, probability, true));
  while (level.length > 0) {
    const wanted = level.flatMap(childrenOf);
    const placed = withPlaces(
      wanted,
      maxNodes - nodes.length,
      structure === 'dag' ? places : undefined,
    );
    const children = placed.slice(0, scorer.room(placed.map(({ set }) => set)));
    truncated ||= children.length < wanted.length;
    const scores = await scorer.score(children.map(({ set }) => set));
    level = [];
    for (const [i, { parent, removed, set }] of children.entries()) {
      let id = structure === 'dag' ? places.get(set) : undefined;
      if (id === undefined) {
        id = place(set, at(scores, i), false);
        level.push(id);
      }
      edges.push({ from: parent, to: id, removed });
    }
  }
  return { nodes, edges, truncated };
}
