import { describe, expect, it } from 'vitest';
import { randomTensor, runModel, tensorOf } from './fixtures/run.ts';
import { smallModel } from './fixtures/small-model.ts';
import { cloneGraph } from './graph.ts';
import {
  consumersOf,
  floatAttribute,
  freshNames,
  type Graph,
  graphBuilder,
  intAttribute,
  intsAttribute,
  modelOf,
  nodeInputs,
  producersOf,
  readModel,
  renameTensors,
  stringAttribute,
  topologicalSort,
  writeModel,
} from './index.ts';

const graph = smallModel().graph;

/** y = if c then x + 1 else x - w, with x and w captured. */
function conditional(): Graph {
  const branch = (opType: string, other: string | null): Graph => {
    const b = graphBuilder({ opset: 17, name: opType });
    b.output(
      b.add(opType, ['x', other ?? b.constant(1, [], 'float32', 'one')], {}, `${opType}_out`),
      'float32',
    );
    return b.finish();
  };
  const b = graphBuilder({ opset: 17 });
  b.input('c', 'bool', []);
  b.add('Neg', [b.input('x', 'float32', [2])], {}, 'w');
  b.output(
    b.add('If', ['c'], { then_branch: branch('Add', null), else_branch: branch('Sub', 'w') }, 'y'),
    'float32',
  );
  return b.finish();
}

describe('a graph', () => {
  it('has producers and consumers of its tensors', () => {
    expect(producersOf(graph).get('relu')?.opType).toBe('Relu');
    expect(
      consumersOf(graph)
        .get('relu')
        ?.map((node) => node.opType),
    ).toEqual(['GlobalAveragePool']);
    expect(consumersOf(graph).get('logits')).toBeUndefined();
    const twice = graphBuilder({ opset: 17 });
    twice.add('Mul', [twice.input('x', 'float32', [1]), 'x']);
    expect(consumersOf(twice.finish()).get('x')).toHaveLength(1);
    expect(() => producersOf({ ...graph, nodes: [...graph.nodes, graph.nodes[0]] })).toThrow(
      'two nodes compute the tensor "conv"',
    );
  });

  it('counts tensors that the branches of an If read as inputs of the If', () => {
    const node = conditional().nodes[1];
    expect(nodeInputs(node)).toEqual(['c', 'x', 'w']);
  });

  it('has its tensors renamed in the branches of an If too', async () => {
    const renamed = renameTensors(
      conditional(),
      new Map([
        ['w', 'w2'],
        ['x', 'x2'],
      ]),
    );
    const model = readModel(writeModel(modelOf(renamed)));
    const { y } = await runModel(model, { c: tensorOf('bool', [], [0]), x2: randomTensor([2]) });
    expect([...(y.data as Float32Array)]).toEqual(
      [...(randomTensor([2]).data as Float32Array)].map((v) => 2 * v),
    );
  });

  it('has its nodes sorted, keeps a valid order, and is refused if it has a cycle', () => {
    expect(topologicalSort(graph.nodes)).toEqual(graph.nodes);
    expect(topologicalSort([...graph.nodes].reverse())).toEqual(graph.nodes);
    const loop = graph.nodes.map((node) =>
      node.opType === 'Conv' ? { ...node, inputs: ['logits', 'conv.weight'] } : node,
    );
    expect(() => topologicalSort(loop)).toThrow(/the tensor "\w+" depends on itself/);
  });

  it('has its nodes sorted even if a chain is too long for recursion', () => {
    const b = graphBuilder({ opset: 17 });
    let x = b.input('x', 'float32', [1]);
    for (let i = 0; i < 20_000; i++) x = b.add('Relu', [x]);
    expect(topologicalSort([...b.finish().nodes].reverse())).toHaveLength(20_000);
  });

  it('gets names that are not taken', () => {
    const fresh = freshNames(new Set(['x', 'x_1']));
    expect([fresh('x'), fresh('x'), fresh('y'), fresh('y')]).toEqual(['x_2', 'x_3', 'y', 'y_1']);
  });

  it('is frozen after reading, and its clone can be changed', () => {
    const read = readModel(writeModel(smallModel())).graph;
    expect(Object.isFrozen(read) && Object.isFrozen(read.nodes[0])).toBe(true);
    const clone = cloneGraph(read);
    clone.nodes.pop();
    clone.initializers.clear();
    expect([read.nodes.length, read.initializers.size]).toEqual([5, 2]);
  });

  it('has attributes, which are read with defaults', () => {
    const [conv] = graph.nodes;
    const gemm = graph.nodes[4];
    expect(intsAttribute(conv, 'pads')).toEqual([1, 1, 1, 1]);
    expect(intAttribute(conv, 'group', 1)).toBe(1);
    expect(intAttribute(conv, 'group')).toBeUndefined();
    expect(floatAttribute(gemm, 'alpha', 0)).toBe(1);
    expect(stringAttribute(conv, 'auto_pad', 'NOTSET')).toBe('NOTSET');
    expect(() => intAttribute(conv, 'pads')).toThrow(
      'attribute pads of Conv node "conv" is of type ints, not int',
    );
  });
});
