import { at } from '../tensor/at.ts';

/**
 * The parts of a structured attention graph that a picture shows; the `sag` of a manifest's extras
 * fits.
 */
export interface DrawableSag {
  readonly grid: readonly [rows: number, columns: number];
  readonly patches: 'soft' | 'hard';
  readonly target: { readonly label: string };
  readonly probability: number;
  readonly formula: string;
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

/** Options of `drawSag`. */
export interface SagPictureOptions {
  /**
   * Address of the thumbnail of each node (a data URI, so that the file needs no other file), by
   * node id.
   */
  readonly thumbnails: ReadonlyMap<number, string>;
  /** Width over height of the thumbnails; 1 if not given. */
  readonly aspect?: number;
  /** Name of the picture, for the caption. */
  readonly title?: string;
  /** Most children of a node; 3 if not given: the ones that cost least, most and in between. */
  readonly maxChildren?: number;
  /** Most nodes in all; 40 if not given. */
  readonly maxNodes?: number;
}

/** At most `count` items, evenly spread from the first to the last. */
function spread<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  if (count < 2) return items.slice(0, count);
  return Array.from({ length: count }, (_, i) =>
    at(items, Math.round((i * (items.length - 1)) / (count - 1))),
  );
}

/** The nodes and edges that are drawn: of large graphs a part that still reads, level by level. */
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
 * Where a patch lies, as shares of width and height: its tile, or of a soft bump what it shows at
 * least half of.
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
