import type { DrawableSag } from './sag-part.ts';

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

/**
 * A structured attention graph in Graphviz's DOT language: nodes with their patches and confidence,
 * edges with the patch that is deleted.
 */
export function sagToDot(sag: DrawableSag): string {
  const nodes = sag.nodes.map(({ id, patches, confidence, root }) => {
    const names = patches.map((patch) => `P${patch}`).join(' ');
    const label = `${names}\\n${Math.round(100 * confidence)}%`;
    return `  n${id} [label="${label}"${root ? ', penwidth=2' : ''}];`;
  });
  const edges = sag.edges.map(
    ({ from, to, removed }) => `  n${from} -> n${to} [label="-P${removed}"];`,
  );
  return [
    'digraph sag {',
    `  label=${quoted(`${sag.target.label}: ${sag.formula}`)};`,
    '  node [shape=box];',
    ...nodes,
    ...edges,
    '}',
    '',
  ].join('\n');
}
