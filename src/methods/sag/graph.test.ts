import { describe, expect, it } from 'vitest';
import { scorerOf } from '../fixtures/patchy.ts';
import { buildGraph } from './graph.ts';
import { patchSetOf } from './patch-set.ts';

describe('buildGraph', () => {
  const roots = [
    { set: patchSetOf([0, 1, 5]), probability: 0.8 },
    { set: patchSetOf([0, 2, 5]), probability: 0.8 },
  ];
  const options = { expandAbove: 0.4, maxChildren: 0, maxNodes: 100 };

  it('contains each set once as a DAG, and once per parent as a tree', async () => {
    const dag = await buildGraph(scorerOf(), roots, 0.8, { ...options, structure: 'dag' });
    expect(dag.nodes.map(({ patches }) => patches.join())).toEqual([
      '0,1,5',
      '0,2,5',
      '1,5',
      '0,5',
      '0,1',
      '2,5',
      '0,2',
      '5',
      '0',
    ]);
    const tree = await buildGraph(scorerOf(), roots, 0.8, { ...options, structure: 'tree' });
    expect(tree.nodes.filter(({ patches }) => patches.join() === '0,5')).toHaveLength(2);
    expect(tree.edges).toHaveLength(tree.nodes.length - 2);
    for (const { nodes, edges } of [dag, tree]) {
      for (const { from, to, removed } of edges) {
        expect([...nodes[to].patches, removed].sort((a, b) => a - b)).toEqual(nodes[from].patches);
        expect(nodes[from].confidence).toBeGreaterThan(0.4);
      }
    }
  });

  it('stops at the largest number of children and nodes, and reports it', async () => {
    const few = await buildGraph(scorerOf(), roots, 0.8, {
      ...options,
      structure: 'dag',
      maxChildren: 1,
    });
    expect(few.edges.map(({ removed }) => removed)).toEqual([0, 0]);
    expect(few.truncated).toBe(false);
    const cut = await buildGraph(scorerOf(), roots, 0.8, {
      ...options,
      structure: 'dag',
      maxNodes: 4,
    });
    expect([cut.nodes.length, cut.truncated]).toEqual([4, true]);
    const scorer = scorerOf();
    await buildGraph(scorer, roots, 0.8, { ...options, structure: 'tree', maxNodes: 4 });
    expect(scorer.evaluated()).toBe(2); // none for what has no place
  });
});
