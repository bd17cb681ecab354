import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { randomTensor, runModel } from '../onnx/fixtures/run.ts';
import { smallModel } from '../onnx/fixtures/small-model.ts';
import { graphBuilder, inferShapes, modelOf } from '../onnx/index.ts';
import { gradientGraph, gradientModel } from './complete.ts';
import { relativeError } from './fixtures/cases.ts';
import { gradientOf, modelBy, vector } from './fixtures/vector-models.ts';
import { type RuleTable, rule } from './rule.ts';

describe('gradientGraph', () => {
  it('sums the gradients from several consumers of a tensor', async () => {
    const model = modelBy((b, x) =>
      b.add('Add', [b.add('Mul', [x, x]), b.add('Sub', [x, b.add('Neg', [x])])]),
    );
    expect(await gradientOf(model, [1, 2, 3, 4], [1, 1, 1, 2])).toEqual([4, 6, 8, 20]);
  });

  it('differentiates by the input, by inner tensors and by the output itself at once', async () => {
    const model = modelBy((b, x) =>
      b.add('Mul', [b.add('Exp', [x], {}, 'e'), b.constant([2])], {}, 'y'),
    );
    const {
      model: backward,
      cotangent,
      gradients,
    } = gradientModel(model, { of: 'y', wrt: ['x', 'e', 'y'], outputs: ['y'] });
    const r = await runModel(backward, {
      x: vector([0, 0, 0, 1]),
      [cotangent]: vector([1, 2, 3, 4]),
    });
    expect([...(r[gradients.get('e') ?? ''].data as Float32Array)]).toEqual([2, 4, 6, 8]);
    expect([...(r[gradients.get('y') ?? ''].data as Float32Array)]).toEqual([1, 2, 3, 4]);
    expect(r[gradients.get('x') ?? ''].data[3]).toBeCloseTo(8 * Math.E, 4);
    expect(backward.graph.outputs.map(({ name }) => name)).toEqual(['y', ...gradients.values()]);
  });

  // If a softmax is only multiplied by a matrix with fewer columns than the softmax has, the
  // gradient sums over the columns of that matrix.
  it.each([
    { columns: 2, again: false, summed: 2 },
    { columns: 2, again: true, summed: 4 },
    { columns: 6, again: false, summed: 4 },
  ])(
    'differentiates a softmax times a matrix of $columns columns, with a second consumer: $again',
    async ({ columns, again, summed }) => {
      const v = Array.from({ length: 4 * columns }, (_, i) => Math.sin(2 * i + 1));
      const b = graphBuilder({ opset: 17 });
      const p = b.add('Softmax', [b.input('x', 'float32', ['n', 4])], { axis: -1 });
      b.output(
        b.add('MatMul', [again ? b.add('Mul', [p, p]) : p, b.constant(v, [4, columns])], {}, 'y'),
      );
      if (again)
        b.output(b.add('Add', ['y', b.add('MatMul', [p, b.constant(v, [4, columns])])], {}, 'z'));
      const of = again ? 'z' : 'y';
      const { model, cotangent, gradients } = gradientModel(modelOf(b.finish()), {
        of,
        wrt: ['x'],
      });
      const [x, dy] = [[0.3, -1, 2, 0.5], Array.from({ length: columns }, (_, j) => Math.cos(j))];
      const row = (values: readonly number[]): Tensor =>
        new Tensor('float32', Float32Array.from(values), [1, values.length]);
      const results = await runModel(model, { x: row(x), [cotangent]: row(dy) });
      // dp = V dy. If p is squared and also read by a second consumer, dp = (2 p + 1) V dy. dx = p
      // (dp - Σ p dp).
      const total = x.reduce((sum, value) => sum + Math.exp(value), 0);
      const q = x.map((value) => Math.exp(value) / total);
      const dp = q.map(
        (value, i) =>
          dy.reduce((sum, dyj, j) => sum + dyj * v[i * columns + j], 0) *
          (again ? 2 * value + 1 : 1),
      );
      const mean = dp.reduce((sum, value, i) => sum + q[i] * value, 0);
      expect(
        relativeError(
          results[gradients.get('x') ?? ''].data as Float32Array,
          q.map((value, i) => value * (dp[i] - mean)),
        ),
      ).toBeLessThan(1e-6);
      const { nodes } = model.graph;
      const terms = nodes.find(
        ({ outputs }) =>
          outputs[0] === nodes.find(({ opType }) => opType === 'ReduceSum')?.inputs[0],
      );
      expect(inferShapes(model.graph).get(terms?.outputs[0] ?? '')?.shape).toEqual(['n', summed]);
    },
  );

  it('differentiates a softmax plus a constant, times a narrower matrix', async () => {
    const v = [1, -2, 0.5, 3];
    const b = graphBuilder({ opset: 17 });
    const p = b.add('Softmax', [b.input('x', 'float32', ['n', 4])], { axis: -1 });
    b.output(
      b.add(
        'MatMul',
        [b.add('Add', [p, b.constant([5, -3, 2, 7], [1, 4])]), b.constant(v, [4, 1])],
        {},
        'y',
      ),
    );
    const { model, cotangent, gradients } = gradientModel(modelOf(b.finish()), {
      of: 'y',
      wrt: ['x'],
    });
    // p is 1/4 everywhere, so dx = (v - mean(v)) / 4.
    const zeros = new Tensor('float32', new Float32Array(4), [1, 4]);
    const results = await runModel(model, {
      x: zeros,
      [cotangent]: new Tensor('float32', Float32Array.of(1), [1, 1]),
    });
    const mean = v.reduce((sum, value) => sum + value, 0) / 4;
    const dx = v.map((value) => (value - mean) / 4);
    expect(relativeError(results[gradients.get('x') ?? ''].data as Float32Array, dx)).toBeLessThan(
      1e-6,
    );
  });

  it('keeps the batch dimension symbolic, and computes each row independently', async () => {
    const { model, cotangent, gradients } = gradientModel(smallModel(), {
      of: 'logits',
      wrt: ['x', 'relu'],
    });
    expect(model.graph.inputs.map(({ shape }) => shape?.[0])).toEqual(['batch', 'batch']);
    const name = gradients.get('x') ?? '';
    const [x, dy] = [randomTensor([3, 3, 8, 8]), randomTensor([3, 5], 2)];
    const whole = (await runModel(model, { x, [cotangent]: dy }))[name].data as Float32Array;
    const row = {
      x: new Tensor('float32', (x.data as Float32Array).slice(192, 384), [1, 3, 8, 8]),
      [cotangent]: new Tensor('float32', (dy.data as Float32Array).slice(5, 10), [1, 5]),
    };
    expect(
      relativeError((await runModel(model, row))[name].data as Float32Array, whole.slice(192, 384)),
    ).toBeLessThan(1e-6);
  });

  it('shares weights with the model instead of copying them, and omits unneeded nodes', () => {
    const { graph } = smallModel();
    const result = gradientGraph(graph, { of: 'logits', wrt: ['relu'] }).graph;
    expect(result.initializers.get('fc.weight')).toBe(graph.initializers.get('fc.weight'));
    // The head is linear, so its gradient by the last feature map needs neither the convolution nor
    // the picture.
    expect(
      result.nodes.some(
        ({ opType, inputs }) => opType === 'Conv' && inputs.includes('conv.weight'),
      ),
    ).toBe(false);
  });

  it('uses given rules in place of those of the table, by operator or by node', async () => {
    const model = modelBy((b, x) => b.add('Relu', [x], {}, 'y'));
    const guided: RuleTable = {
      Relu: rule((at, [dy]) => [at.ops.mul(at.ops.op('Relu', [dy]), at.ops.above(at.output(0)))]),
    };
    expect(await gradientOf(model, [1, -1, 1, -1], [1, 1, -1, -1])).toEqual([1, 0, -1, -0]);
    expect(
      (await gradientOf(model, [1, -1, 1, -1], [1, 1, -1, -1], { rules: guided })).map(Math.abs),
    ).toEqual([1, 0, 0, 0]);
    const none = gradientGraph(model.graph, { of: 'y', wrt: ['x'], rules: () => undefined });
    expect(none.graph.nodes.map(({ opType }) => opType)).toContain('HardSigmoid');
  });

  it('handles a broadcast between two unknown batch sizes when the graph runs', async () => {
    const b = graphBuilder({ opset: 17 });
    b.output(
      b.add('Mul', [b.input('x', 'float32', ['a', 3]), b.input('z', 'float32', ['b', 3])], {}, 'y'),
    );
    const { model, cotangent, gradients } = gradientModel(modelOf(b.finish()), {
      of: 'y',
      wrt: ['x'],
    });
    const tensor = (rows: number): Tensor =>
      new Tensor('float32', new Float32Array(rows * 3).fill(1), [rows, 3]);
    const run = async (x: number, z: number) =>
      (await runModel(model, { x: tensor(x), z: tensor(z), [cotangent]: tensor(Math.max(x, z)) }))[
        gradients.get('x') ?? ''
      ];
    expect((await run(1, 4)).data).toEqual(new Float32Array([4, 4, 4]));
    expect((await run(4, 1)).dims).toEqual([4, 3]);
  });
});
