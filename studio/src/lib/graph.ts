import dagre from '@dagrejs/dagre';

/** A structured attention graph, as `manifest.extras.sag` holds it. */
export interface Sag {
  readonly grid: readonly [rows: number, columns: number];
  readonly baseline: 'zero';
  readonly target: { readonly index: number; readonly label: string };
  readonly probability: number;
  readonly threshold: number;
  readonly explanations: readonly {
    readonly patches: readonly number[];
    readonly confidence: number;
  }[];
  readonly nodes: readonly SagNode[];
  readonly edges: readonly {
    readonly from: number;
    readonly to: number;
    readonly removed: number;
  }[];
  readonly truncated: boolean;
}

export interface SagNode {
  readonly id: number;
  readonly patches: readonly number[];
  readonly confidence: number;
  readonly root: boolean;
}

/** Where things of a drawn graph are, in pixels. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly (SagNode & { readonly x: number; readonly y: number })[];
  readonly edges: readonly {
    readonly key: string;
    readonly path: string;
    readonly x: number;
    readonly y: number;
    readonly removed: number;
  }[];
}

export const NODE = { width: 84, height: 104 } as const;

/** Places the nodes in layers, roots on top. */
export function layoutOf(sag: Sag): Layout {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: 'TB', nodesep: 14, ranksep: 44, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of sag.nodes) graph.setNode(String(id), { ...NODE });
  for (const { from, to } of sag.edges) graph.setEdge(String(from), String(to));
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const placed = new Map(
    sag.nodes.map((node) => {
      const { x, y } = graph.node(String(node.id));
      return [node.id, { ...node, x, y }] as const;
    }),
  );
  const edges = sag.edges.flatMap(({ from, to, removed }) => {
    const [a, b] = [placed.get(from), placed.get(to)];
    if (!a || !b) return [];
    const [top, bottom] = [a.y + NODE.height / 2, b.y - NODE.height / 2];
    const middle = (top + bottom) / 2;
    const path = `M${a.x} ${top}C${a.x} ${middle} ${b.x} ${middle} ${b.x} ${bottom}`;
    return [{ key: `${from}-${to}`, path, x: b.x, y: bottom - 6, removed }];
  });
  return { width, height, nodes: [...placed.values()], edges };
}

/** The patches of one set that another lacks. */
export const lacks = (a: readonly number[], b: readonly number[]): number[] =>
  a.filter((patch) => !b.includes(patch));
