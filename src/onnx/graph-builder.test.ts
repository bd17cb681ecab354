import { describe, expect, it } from 'vitest';
import { randomTensor, runModel } from './fixtures/run.ts';
import { smallModel } from './fixtures/small-model.ts';
import { graphBuilder, modelOf, tensorValues, withGraph } from './index.ts';

describe('graphBuilder', () => {
  it('builds a model that runs', async () => {
    const b = graphBuilder({ opset: 17 });
    const x = b.input('x', 'float32', ['batch', 4]);
    const [left, right] = b.add('Split', [x], { axis: 1 }, 2);
    const sum = b.add('Add', [b.add('Mul', [left, b.constant(2)]), right], {}, 'sum');
    b.output(sum, 'float32', ['batch', 2]);
    const { sum: got } = await runModel(modelOf(b.finish()), { x: randomTensor([1, 4]) });
    const v = randomTensor([1, 4]).data as Float32Array;
    expect([...(got.data as Float32Array)]).toEqual([
      Math.fround(Math.fround(2 * v[0]) + v[2]),
      Math.fround(Math.fround(2 * v[1]) + v[3]),
    ]);
  });

  it('distinguishes ints from floats by the name of the attribute', () => {
    const b = graphBuilder({ opset: 17 });
    b.add('Op', ['x'], {
      alpha: 1,
      axis: 1,
      scales: [1, 2],
      axes: [0, 1],
      ratio: undefined,
      mode: 'linear',
      other: { type: 'float', value: 3 },
    });
    expect(Object.fromEntries(b.finish().nodes[0].attributes)).toEqual({
      alpha: { type: 'float', value: 1 },
      axis: { type: 'int', value: 1 },
      scales: { type: 'floats', value: [1, 2] },
      axes: { type: 'ints', value: [0, 1] },
      mode: { type: 'string', value: 'linear' },
      other: { type: 'float', value: 3 },
    });
  });

  it('uses the given type and shape of a constant, or derives them from its values', () => {
    const b = graphBuilder({ opset: 17 });
    const names = [
      b.constant(1),
      b.constant([1, 2]),
      b.constant(new Int32Array(4), [2, 2]),
      b.constant([3], [1], 'int64', 'axes'),
    ];
    const infos = names.map((name) => b.finish().initializers.get(name));
    expect(infos.map((info) => `${info?.type}[${info?.dims}]`)).toEqual([
      'float32[]',
      'float32[2]',
      'int32[2,2]',
      'int64[1]',
    ]);
    expect(names[3]).toBe('axes');
    expect(infos[3] && tensorValues(infos[3])).toEqual(BigInt64Array.of(3n));
    expect(() => b.constant([1, 2], [3])).toThrow(
      'the constant "constant" of shape [3] got 2 values',
    );
  });

  it('extends a graph and keeps its nodes', async () => {
    const model = smallModel();
    const b = graphBuilder({ extend: model.graph });
    b.output(b.add('Softmax', ['logits'], { axis: -1 }, 'probabilities'), 'float32');
    expect(model.graph.nodes).toHaveLength(5);
    const { probabilities } = await runModel(withGraph(model, b.finish()), {
      x: randomTensor([1, 3, 8, 8]),
    });
    expect((probabilities.data as Float32Array).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
    expect(() => b.input('relu', 'float32', [])).toThrow('the name "relu" is taken');
  });

  it('sorts nodes that were added in another order', () => {
    const b = graphBuilder({ opset: 17 });
    b.add('Relu', ['later'], {}, 'y');
    b.add('Neg', [b.input('x', 'float32', [])], {}, 'later');
    expect(b.finish().nodes.map((node) => node.opType)).toEqual(['Neg', 'Relu']);
  });

  it('accepts optional inputs and outputs that are left out', () => {
    const b = graphBuilder({ opset: 17 });
    expect(b.add('Dropout', ['x', '', ''], {}, ['', 'mask'])).toEqual(['', 'mask']);
    expect(b.finish().nodes[0]).toMatchObject({
      name: 'mask',
      inputs: ['x', '', ''],
      outputs: ['', 'mask'],
    });
  });
});
