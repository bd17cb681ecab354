import { existsSync, readFileSync } from 'node:fs';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { randomTensor, runModel } from '../onnx/fixtures/run.ts';
import { readBytes } from '../onnx/fixtures/shared-models.ts';
import { smallModel } from '../onnx/fixtures/small-model.ts';
import {
  each,
  type Graph,
  type GraphBuilder,
  graphBuilder,
  inferShapes,
  modelOf,
  type OnnxModel,
  readModel,
  writeModel,
} from '../onnx/index.ts';
import { createNodeRuntime } from '../runtime/onnxruntime-node.ts';
import { decodeNpy } from '../tensor/npy.ts';
import { gradientGraph, gradientModel } from './complete.ts';
import { dot, relativeError } from './fixtures/cases.ts';
import { type RuleTable, refused, rule } from './rule.ts';

const vector = (values: readonly number[]): Tensor =>
  new Tensor('float32', Float32Array.from(values), [values.length]);

/** A model with the input x [4]. `build` adds its nodes and returns the output. */
function modelBy(build: (b: GraphBuilder, x: string) => string, opset = 17): OnnxModel {
  const b = graphBuilder({ opset });
  b.output(build(b, b.input('x', 'float32', [4])));
  return modelOf(b.finish());
}

async function gradientOf(
  model: OnnxModel,
  x: readonly number[],
  dy: readonly number[],
  options: { rules?: RuleTable; wrt?: string[] } = {},
) {
  const of = model.graph.outputs[0].name;
  const {
    model: backward,
    cotangent,
    gradients,
  } = gradientModel(model, { of, wrt: ['x'], ...options });
  const results = await runModel(backward, { x: vector(x), [cotangent]: vector(dy) });
  return [...(results[gradients.get(options.wrt?.[0] ?? 'x') ?? ''].data as Float32Array)];
}

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

describe('gradientGraph on a graph that cannot be differentiated', () => {
  const relu = modelBy((b, x) => b.add('Relu', [x], {}, 'y'));

  it('names the nearest tensor names if a tensor does not exist', () => {
    expect(() => gradientGraph(relu.graph, { of: 'z', wrt: ['x'] })).toThrow(
      'the model has no tensor "z". The nearest names are',
    );
  });

  it('reports that a tensor does not depend on another', () => {
    expect(() => gradientGraph(relu.graph, { of: 'x', wrt: ['y'] })).toThrow(
      'the tensor "x" does not depend on "y"',
    );
  });

  it('names the operator whose gradient is zero', () => {
    const model = modelBy((b, x) => b.add('Floor', [x], {}, 'y'));
    expect(() => gradientGraph(model.graph, { of: 'y', wrt: ['x'] })).toThrow(
      'no gradient of "y" reaches "x", for example because of the Floor node "y": it is constant',
    );
  });

  it('names nodes of control flow, custom operators and refused operators', () => {
    const branch: Graph = modelBy((b, x) => b.add('Neg', [x], {}, 'n')).graph;
    const inner = { ...branch, inputs: [], nodes: branch.nodes };
    const choice = modelBy((b, x) =>
      b.add(
        'If',
        [b.constant([1], [], 'bool')],
        { then_branch: inner, else_branch: inner },
        x === '' ? 'z' : 'y',
      ),
    );
    expect(() => gradientGraph(choice.graph, { of: 'y', wrt: ['x'] })).toThrow(
      'cannot be differentiated at the If node "y": the data decide which branch runs',
    );
    const custom = modelBy((b, x) => b.add('Blur', [x], {}, 'y', { domain: 'acme' }));
    expect(() => gradientGraph(custom.graph, { of: 'y', wrt: ['x'] })).toThrow(
      'the acme:Blur node "y": Fovea has no gradient rule',
    );
    const rules = each('Relu', refused('it is switched off'));
    expect(() => gradientGraph(relu.graph, { of: 'y', wrt: ['x'], rules })).toThrow(
      'it is switched off',
    );
  });

  it('allows refused operators that no gradient has to pass', () => {
    const model = modelBy((b, x) =>
      b.add(
        'Add',
        [x, b.add('Compress', [x, b.constant([1, 1, 1, 1], [4], 'bool')], { axis: 0 }, 'c')],
        {},
        'y',
      ),
    );
    expect(() => gradientGraph(model.graph, { of: 'y', wrt: ['x'] })).toThrow(
      'the Compress node "c"',
    );
    expect(() => gradientGraph(model.graph, { of: 'y', wrt: ['c'] })).not.toThrow();
  });

  it('reports that a convolution needs the sizes of its input', () => {
    const b = graphBuilder({ opset: 17 });
    const x = b.input('x', 'float32', ['n', 3, 'h', 'w']);
    b.output(
      b.add(
        'Conv',
        [x, b.constant(new Float32Array(27), [1, 3, 3, 3], 'float32', 'k')],
        { kernel_shape: [3, 3] },
        'y',
      ),
    );
    const { graph } = modelOf(b.finish());
    expect(() => gradientGraph(graph, { of: 'y', wrt: ['x'] })).toThrow(
      'the height and width of its input',
    );
    expect(() =>
      gradientGraph(graph, { of: 'y', wrt: ['x'], inputShapes: { x: ['n', 3, 8, 8] } }),
    ).not.toThrow();
  });
});

describe('gradientGraph on other element types', () => {
  it('computes the gradients of half-precision models in float32', async () => {
    const b = graphBuilder({ opset: 17 });
    const x = b.input('x', 'float32', ['n', 2, 4, 4]);
    const half = b.add('Cast', [x], { to: 10 });
    const k = b.constant(
      Array.from({ length: 3 * 2 * 9 }, (_, i) => Math.round(Math.sin(i) * 16) / 16),
      [3, 2, 3, 3],
      'float16',
      'k',
    );
    const y = b.add(
      'GlobalAveragePool',
      [
        b.add('Relu', [
          b.add('Conv', [half, k], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }, 'conv'),
        ]),
      ],
      {},
      'y',
    );
    b.output(y, 'float16', ['n', 3, 1, 1]);
    const { model, cotangent, gradients } = gradientModel(modelOf(b.finish()), {
      of: 'y',
      wrt: ['x', 'conv'],
    });
    expect(model.graph.inputs.at(-1)?.type).toBe('float32');
    const results = await runModel(model, {
      x: randomTensor([1, 2, 4, 4]),
      [cotangent]: new Tensor('float32', Float32Array.from([1, 2, 3]), [1, 3, 1, 1]),
    });
    for (const name of gradients.values()) expect(results[name].type).toBe('float32');
    expect(
      dot(
        results[gradients.get('x') ?? ''].data as Float32Array,
        results[gradients.get('x') ?? ''].data as Float32Array,
      ),
    ).toBeGreaterThan(0);
  });

  /**
   * A model of [n, 3, 12, 12] with two convolutions, a MaxPool and a linear head, in half precision
   * or in float32 with the same weights.
   */
  function convolutional(type: 'float16' | 'float32'): OnnxModel {
    const b = graphBuilder({ opset: 17 });
    const weights = (count: number, seed: number): number[] =>
      Array.from({ length: count }, (_, i) => Math.round(Math.sin(i * seed) * 64) / 256);
    const constant = (shape: number[], seed: number): string =>
      b.constant(
        weights(
          shape.reduce((size, dim) => size * dim, 1),
          seed,
        ),
        shape,
        type,
      );
    const x = b.add('Cast', [b.input('x', 'float32', ['n', 3, 12, 12])], {
      to: type === 'float16' ? 10 : 1,
    });
    const conv = (from: string, channels: number, seed: number): string =>
      b.add('Conv', [from, constant([8, channels, 3, 3], seed)], {
        pads: [1, 1, 1, 1],
        kernel_shape: [3, 3],
      });
    const pooled = b.add('MaxPool', [b.add('Sigmoid', [conv(x, 3, 1.3)])], {
      kernel_shape: [2, 2],
      strides: [2, 2],
    });
    const features = b.add('Flatten', [
      b.add('GlobalAveragePool', [b.add('Tanh', [conv(pooled, 8, 0.7)])]),
    ]);
    b.output(b.add('Gemm', [features, constant([8, 4], 2.1)], {}, 'y'), type, ['n', 4]);
    return modelOf(b.finish());
  }

  async function convolutionalGradient(
    type: 'float16' | 'float32',
    scale: number,
  ): Promise<Float32Array> {
    const { model, cotangent, gradients } = gradientModel(convolutional(type), {
      of: 'y',
      wrt: ['x'],
    });
    const dy = Float32Array.from([1, -0.5, 0.25, 0, 0, 1, 0, 0.5], (value) => value * scale);
    const results = await runModel(model, {
      x: randomTensor([2, 3, 12, 12]),
      [cotangent]: new Tensor('float32', dy, [2, 4]),
    });
    return results[gradients.get('x') ?? ''].data as Float32Array;
  }

  it('returns float32 gradients for half-precision networks, whatever their range', async () => {
    const gradient = await convolutionalGradient('float16', 1);
    expect(relativeError(gradient, await convolutionalGradient('float32', 1))).toBeLessThan(5e-3);
    // Half precision has no value above 65504 or between 0 and 6e-8. In float32, a product with a
    // power of two is exact.
    for (const scale of [2 ** 40, 2 ** -40]) {
      const scaled = await convolutionalGradient('float16', scale);
      expect(Math.max(...scaled.map(Math.abs)) / scale).toBeGreaterThan(1e-3);
      expect(scaled.every((value, i) => value === gradient[i] * scale)).toBe(true);
    }
  });

  it('sums the gradients of half-precision tensors in float32', async () => {
    const b = graphBuilder({ opset: 17 });
    const [x, bias] = [
      b.add('Cast', [b.input('x', 'float32', ['n', 1, 64, 64])], { to: 10 }),
      b.add('Cast', [b.input('b', 'float32', [1])], { to: 10 }, 'bias'),
    ];
    b.output(b.add('Add', [x, bias], {}, 'y'), 'float16', ['n', 1, 64, 64]);
    const { model, cotangent, gradients } = gradientModel(modelOf(b.finish()), {
      of: 'y',
      wrt: ['bias'],
    });
    const feeds = { x: randomTensor([1, 1, 64, 64]), b: randomTensor([1]) };
    const results = await runModel(model, {
      ...feeds,
      [cotangent]: new Tensor('float32', new Float32Array(4096).fill(1 + 2 ** -12), [1, 1, 64, 64]),
    });
    // Half precision cannot represent 1 + 2^-12, and a running sum of ones in it stops at 2048.
    expect(results[gradients.get('bias') ?? ''].data[0]).toBe(4097);
  });

  it('passes gradients straight through quantisation', async () => {
    const model = modelBy((b, x) => {
      const [scale, zero] = [b.constant([0.1], []), b.constant([128], [], 'uint8')];
      const q = b.add('QuantizeLinear', [x, scale, zero]);
      return b.add('Mul', [b.add('DequantizeLinear', [q, scale, zero]), b.constant([3])], {}, 'y');
    });
    expect(await gradientOf(model, [0.11, 0.22, -0.3, 0.4], [1, 2, 3, 4])).toEqual([3, 6, 9, 12]);
  });
});

const models = '../shared/models/mobilenet_v2.onnx';
const references = '../shared/reference';
const present = existsSync(models) && existsSync(`${references}/pixel/cases.json`);
if (!present) console.warn(`${references} has no recorded gradients: their tests are skipped`);

interface Reference {
  case: string;
  model: string;
  target: number;
  arrays: Record<string, { file: string; scale?: number }>;
}

describe.skipIf(!present)('gradientModel on a network with real weights', () => {
  const { cases } = present
    ? (JSON.parse(readFileSync(`${references}/pixel/cases.json`, 'utf8')) as { cases: Reference[] })
    : { cases: [] };
  const first = [
    cases.find(({ model }) => model === 'mobilenet_v2'),
    cases.find(({ model }) => model === 'squeezenet'),
  ].flatMap((item) => item ?? []);
  const named = first.map((item) => [item.model, item] as const);
  it.each(named)('agrees with the recorded gradients of %s', async (name, item) => {
    const model = readModel(readBytes(`../shared/models/${name}.onnx`));
    const [input, output] = [model.graph.inputs[0].name, model.graph.outputs[0].name];
    const {
      model: backward,
      cotangent,
      gradients,
    } = gradientModel(model, { of: output, wrt: [input] });
    const x = decodeNpy(readBytes(`${references}/inputs/${name}_${item.case}_input.npy`)).data;
    const seed = new Float32Array(1000).map((_, i) => Number(i === item.target));
    const session = await (await createNodeRuntime({ threads: 1 })).createSession(
      writeModel(backward),
    );
    const results = await session.run({
      [input]: { type: 'float32', data: Float32Array.from(x), shape: [1, 3, 224, 224] },
      [cotangent]: { type: 'float32', data: seed, shape: [1, 1000] },
    });
    await session.release();
    const got = results[gradients.get(input) ?? ''].data as Float32Array;
    const { file, scale = 1 } = item.arrays.gradient;
    const wanted = Float64Array.from(
      decodeNpy(readBytes(`${references}/pixel/${file}`)).data,
      (value) => value * scale,
    );
    const pixels = 224 * 224;
    const summed = Float64Array.from(
      { length: pixels },
      (_, i) => got[i] + got[i + pixels] + got[i + 2 * pixels],
    );
    expect(relativeError(wanted.length === pixels ? summed : got, wanted)).toBeLessThan(1e-3);
  });
});
