import { at } from '../tensor/at.ts';

/**
 * The fields of a structured attention graph that a drawing needs. The `sag` in a manifest's extras
 * fits.
 */
export interface DrawableSag {
  readonly grid: readonly [rows: number, columns: number];
  readonly patches: 'soft' | 'hard';
  readonly target: { readonly label: string };
  readonly probability: number;
  readonly formula: string;
  /** All sufficient sets found, the smallest first; the roots if left out. */
  readonly explanations?: readonly { readonly patches: readonly number[] }[];
  readonly nodes: readonly {
    readonly id: number;
    readonly patches: readonly number[];
    readonly confidence: number;
    readonly root: boolean;
  }[];
  readonly edges: readonly {
    readonly from: number;
    readonly to: number;
    readonly removed: number;
  }[];
}

/**
 * The smallest set that suffices, and whether a root of the graph shows it; undefined if no set was
 * found.
 */
export function smallestSet({
  explanations,
  nodes,
}: Pick<DrawableSag, 'explanations' | 'nodes'>):
  | { readonly patches: readonly number[]; readonly isRoot: boolean }
  | undefined {
  const roots = nodes.filter(({ root }) => root);
  const found = explanations?.length ? explanations : roots;
  const [smallest] = [...found].sort((a, b) => a.patches.length - b.patches.length);
  if (!smallest) return undefined;
  const key = smallest.patches.join();
  return {
    patches: smallest.patches,
    isRoot: roots.some(({ patches }) => patches.join() === key),
  };
}

/** Options of `drawSag`. */
export interface SagPictureOptions {
  /**
   * The address of each node's thumbnail, by node id. With data URIs the drawing needs no other
   * file.
   */
  readonly thumbnails: ReadonlyMap<number, string>;
  /**
   * Address of the whole picture, for the key beside the graph: the picture with the number of each
   * patch. Without it there is no key.
   */
  readonly picture?: string;
  /** Width over height of the thumbnails; 1 if not given. */
  readonly aspect?: number;
  /** Name of the picture, for the caption. */
  readonly title?: string;
  /** Most children per node; 3 if not given: those that cost least, most, and in between. */
  readonly maxChildren?: number;
  /** Most nodes in all; 40 if not given. */
  readonly maxNodes?: number;
}

/** At most `count` items, evenly spaced from the first to the last. */
function spread<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  if (count < 2) return items.slice(0, count);
  return Array.from({ length: count }, (_, i) =>
    at(items, Math.round((i * (items.length - 1)) / (count - 1))),
  );
}

/** The nodes and edges that are drawn, level by level. Of a large graph it is only a part. */
export function shownPart(
  sag: DrawableSag,
  { maxChildren = 3, maxNodes = 40 }: Pick<SagPictureOptions, 'maxChildren' | 'maxNodes'> = {},
) {
  const confidenceOf = (id: number): number => at(sag.nodes, id).confidence;
  const shown = new Set(sag.nodes.filter(({ root }) => root).map(({ id }) => id));
  const edges: DrawableSag['edges'][number][] = [];
  for (let level = [...shown]; level.length > 0; ) {
    const next: number[] = [];
    for (const id of level) {
      const children = sag.edges
        .filter(({ from }) => from === id)
        .sort((a, b) => confidenceOf(b.to) - confidenceOf(a.to) || a.to - b.to);
      for (const edge of spread(children, maxChildren)) {
        if (!shown.has(edge.to) && shown.size >= maxNodes) continue;
        if (!shown.has(edge.to)) next.push(edge.to);
        shown.add(edge.to);
        edges.push(edge);
      }
    }
    level = next;
  }
  return { nodes: sag.nodes.filter(({ id }) => shown.has(id)), edges };
}

/**
 * The box of a patch, as shares of width and height: its tile, or the part that a soft bump shows
 * by at least half.
 */
export function patchBox(
  { grid: [rows, columns], patches }: Pick<DrawableSag, 'grid' | 'patches'>,
  patch: number,
) {
  const span = (i: number, count: number): [number, number] => {
    if (patches === 'hard' || count === 1) return [i / count, (i + 1) / count];
    return [Math.max(0, (i - 0.5) / (count - 1)), Math.min(1, (i + 0.5) / (count - 1))];
  };
  const [top, bottom] = span(Math.floor(patch / columns), rows);
  const [left, right] = span(patch % columns, columns);
  return { left, top, width: right - left, height: bottom - top };
}
