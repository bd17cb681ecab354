/** The script of the worker that places the nodes of a graph. */
import dagre from '@dagrejs/dagre';
import { type Layout, NODE, type Sag } from './graph.ts';

/** Places the nodes in layers, roots on top. */
function layoutOf(sag: Sag): Layout {
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

addEventListener('message', ({ data }: MessageEvent<Sag>) => postMessage(layoutOf(data)));
