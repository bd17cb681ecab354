import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { randomTensor, runModel } from '../../onnx/fixtures/run.ts';
import {
  type GraphBuilder,
  graphBuilder,
  modelOf,
  type OnnxModel,
  readModel,
  writeModel,
} from '../../onnx/index.ts';
import { gradientModel, prepareModel } from '../complete.ts';
import { relativeError } from '../fixtures/cases.ts';

type Build = (b: GraphBuilder, x: string) => string;

/** A model with the input x [batch, 3, 8]. `build` adds its nodes and returns the output. */
function modelBy(build: Build, opset = 14): OnnxModel {
  const b = graphBuilder({ opset });
  b.output(build(b, b.input('x', 'float32', ['batch', 3, 8])), 'float32');
  return modelOf(b.finish());
}

const typesIn = (model: OnnxModel, keep: string[] = []): string[] =>
  prepareModel(model, { keep }).graph.nodes.map(({ opType }) => opType);

/** The output of a model, and the output of the prepared model. */
async function both(model: OnnxModel): Promise<[Float32Array, Float32Array]> {
  const name = model.graph.outputs[0].name;
  const feeds = { x: randomTensor([2, 3, 8]) };
  const prepared = prepareModel(model);
  return [
    (await runModel(model, feeds))[name].data as Float32Array,
    (await runModel(prepared, feeds))[name].data as Float32Array,
  ];
}

const layerNormalization =
  (scale: boolean): Build =>
  (b, x) => {
    const mean = b.add('ReduceMean', [x], { axes: [-1] });
    const centred = b.add('Sub', [x, mean]);
    const variance = b.add('ReduceMean', [b.add('Pow', [centred, b.constant(2)])], { axes: [-1] });
    const y = b.add(
      'Div',
      [centred, b.add('Sqrt', [b.add('Add', [variance, b.constant(1e-5)])])],
      {},
      'normalized',
    );
    if (!scale) return y;
    const gamma = b.constant(Float32Array.from({ length: 8 }, (_, i) => 1 + i / 8));
    return b.add(
      'Add',
      [b.add('Mul', [y, gamma]), b.constant(new Float32Array(8).fill(0.5))],
      {},
      'y',
    );
  };

const gelu =
  (order: number): Build =>
  (b, x) => {
    const one = b.add('Add', [
      b.add('Erf', [b.add('Div', [x, b.constant(Math.SQRT2)])]),
      b.constant(1),
    ]);
    const half = b.constant(0.5);
    if (order === 0) return b.add('Mul', [b.add('Mul', [x, one]), half], {}, 'y');
    if (order === 1) return b.add('Mul', [b.add('Mul', [x, half]), one], {}, 'y');
    return b.add('Mul', [x, b.add('Mul', [one, half])], {}, 'y');
  };

describe('prepareModel on operators that exporters decompose', () => {
  it.each([true, false])('rebuilds LayerNormalization, with a scale: %s', async (scale) => {
    const model = modelBy(layerNormalization(scale));
    expect(typesIn(model)).toEqual(['LayerNormalization']);
    const [plain, prepared] = await both(model);
    expect(relativeError(prepared, plain)).toBeLessThan(1e-6);
  });

  it('keeps the nodes that compute an inner tensor in keep', () => {
    expect(typesIn(modelBy(layerNormalization(true)), ['normalized'])).toEqual([
      'LayerNormalization',
      'Mul',
      'Add',
    ]);
  });

  it.each([0, 1, 2])('rebuilds Gelu, with order %i of the factors', async (order) => {
    const model = modelBy(gelu(order));
    expect(typesIn(model)).toEqual(['Gelu']);
    const [plain, prepared] = await both(model);
    expect(relativeError(prepared, plain)).toBeLessThan(1e-6);
  });
});

describe('the operator set of a gradient model', () => {
  const relu: Build = (b, x) => b.add('Relu', [x], {}, 'y');
  it.each([
    [9, 9],
    [12, 12],
    [13, 16],
    [15, 16],
    [16, 16],
    [18, 18],
  ])('of a model in opset %i is %i', (opset, raised) => {
    const { model } = gradientModel(modelBy(relu, opset), { of: 'y', wrt: ['x'] });
    expect(model.graph.opset.get('')).toBe(raised);
  });
});

describe('prepareModel on Slices', () => {
  const ints = (b: GraphBuilder, ...values: number[]): string =>
    b.constant(values.map(BigInt), [values.length], 'int64');
  /** Slices of the last axis, which has 8 elements. Each slice is multiplied by another number. */
  const slices =
    (...ranges: [start: number, end: number][]): Build =>
    (b, x) => {
      const parts = ranges.map(([start, end], i) =>
        b.add('Mul', [
          b.add('Slice', [x, ints(b, start), ints(b, end), ints(b, -1)], {}, `part${i}`),
          b.constant(i + 1),
        ]),
      );
      return b.add('Concat', parts, { axis: 2 }, 'y');
    };

  it.each([12, 14])(
    'rebuilds a Split from Slices that partition an axis, in any order, at opset %i',
    async (opset) => {
      const model = modelBy(slices([3, 6], [0, 3], [-2, 100]), opset);
      expect(typesIn(model).filter((type) => type === 'Slice' || type === 'Split')).toEqual([
        'Split',
      ]);
      const [plain, prepared] = await both(model);
      expect(prepared).toEqual(plain);
      const {
        model: backward,
        cotangent,
        gradients,
      } = gradientModel(model, { of: 'y', wrt: ['x'] });
      const dy = randomTensor([2, 3, 8], 5);
      const dx = (await runModel(backward, { x: randomTensor([2, 3, 8]), [cotangent]: dy }))[
        gradients.get('x') ?? ''
      ].data;
      // y is [1 x[3..6], 2 x[0..3], 3 x[6..8]].
      const factor = (column: number): [at: number, factor: number] =>
        column < 3 ? [column + 3, 2] : column < 6 ? [column - 3, 1] : [column, 3];
      for (let i = 0; i < 48; i++) {
        const [at, times] = factor(i % 8);
        expect(dx[i]).toBeCloseTo(times * Number(dy.data[i - (i % 8) + at]), 6);
      }
    },
  );

  it.each([
    {
      name: 'a gap',
      ranges: [
        [0, 3],
        [4, 8],
      ],
    },
    {
      name: 'an overlap',
      ranges: [
        [0, 4],
        [3, 8],
      ],
    },
    {
      name: 'the same part twice',
      ranges: [
        [0, 8],
        [0, 8],
      ],
    },
    {
      name: 'an end before the last',
      ranges: [
        [0, 3],
        [3, 7],
      ],
    },
  ] as { name: string; ranges: [number, number][] }[])('keeps Slices with $name', ({ ranges }) => {
    expect(
      typesIn(modelBy(slices(...ranges))).filter((type) => type === 'Slice' || type === 'Split'),
    ).toEqual(['Slice', 'Slice']);
  });

  it('keeps the names of parts in keep', () => {
    expect(
      prepareModel(modelBy(slices([0, 4], [4, 8])), { keep: ['part1'] }).graph.nodes.flatMap(
        ({ outputs }) => outputs,
      ),
    ).toContain('part1');
  });
});

describe('prepareModel on arithmetic on shapes', () => {
  it('keeps one open size in the target of a Reshape, and folds all arithmetic', async () => {
    const model = modelBy((b, x) => {
      const size = b.add('Gather', [b.add('Shape', [x]), b.constant([0n], [], 'int64')]);
      const target = b.add(
        'Concat',
        [
          b.add('Unsqueeze', [size, b.constant([0n], [1], 'int64')]),
          b.constant([24n], [1], 'int64'),
        ],
        { axis: 0 },
      );
      return b.add('Reshape', [x, target], {}, 'y');
    });
    expect(typesIn(model)).toEqual(['Reshape']);
    const [plain, prepared] = await both(model);
    expect(prepared).toEqual(plain);
  });
});

describe('prepareModel on local functions', () => {
  const text = new TextEncoder();
  const field = (number: number, bytes: Uint8Array | number[] | string): number[] => {
    const payload = typeof bytes === 'string' ? [...text.encode(bytes)] : [...bytes];
    return [(number << 3) | 2, payload.length, ...payload];
  };
  const varint = (number: number, value: number): number[] => [number << 3, value];

  /** acme:Scaled(x; slope) = LeakyRelu(x; alpha = slope) + x */
  const body = [
    ...field(1, 'Scaled'),
    ...field(4, 'a'),
    ...field(5, 'b'),
    ...field(6, 'slope'),
    ...field(7, [
      ...field(1, 'a'),
      ...field(2, 't'),
      ...field(4, 'LeakyRelu'),
      ...field(5, [...field(1, 'alpha'), 0xa0, 1, 1, 0xaa, 1, 5, ...text.encode('slope')]),
    ]),
    ...field(7, [...field(1, 't'), ...field(1, 'a'), ...field(2, 'b'), ...field(4, 'Add')]),
    ...field(9, [...field(1, ''), ...varint(2, 14)]),
    ...field(10, 'acme'),
  ];

  function withFunction(): OnnxModel {
    const b = graphBuilder({ opset: { '': 14, acme: 1 } });
    const x = b.input('x', 'float32', ['batch', 3, 8]);
    const first = b.add('Scaled', [x], { slope: { type: 'float', value: 0.25 } }, 'first', {
      domain: 'acme',
    });
    b.output(
      b.add('Scaled', [first], { slope: { type: 'float', value: 0.5 } }, 'y', { domain: 'acme' }),
      'float32',
    );
    return {
      ...modelOf(b.finish()),
      functions: [{ domain: 'acme', name: 'Scaled', bytes: Uint8Array.from(body) }],
    };
  }

  it('inlines them at their calls, with the attributes of the call', async () => {
    const model = readModel(writeModel(withFunction()));
    const nodes = prepareModel(model).graph.nodes;
    expect(nodes.map(({ opType }) => opType)).toEqual(['LeakyRelu', 'Add', 'LeakyRelu', 'Add']);
    expect(nodes[0].attributes.get('alpha')).toMatchObject({ type: 'float', value: 0.25 });
    const [plain, prepared] = await both(model);
    expect(relativeError(prepared, plain)).toBeLessThan(1e-6);
  });

  it('makes them differentiable', async () => {
    const { model, cotangent, gradients } = gradientModel(withFunction(), { of: 'y', wrt: ['x'] });
    expect(model.functions).toEqual([]);
    const x = new Tensor('float32', new Float32Array(24).fill(-1), [1, 3, 8]);
    const dy = new Tensor('float32', new Float32Array(24).fill(1), [1, 3, 8]);
    const results = await runModel(model, { x, [cotangent]: dy });
    expect(results[gradients.get('x') ?? ''].data[0]).toBeCloseTo(1.25 * 1.5, 6);
  });

  /**
   * Functions f0, f1, … of `acme`. Each calls the next one twice, and the last one calls `last`
   * twice.
   */
  function nested(depth: number, last: string): OnnxModel {
    const call = (opType: string, from: string, to: string, domain: string) =>
      field(7, [...field(1, from), ...field(2, to), ...field(4, opType), ...field(7, domain)]);
    const functions = Array.from({ length: depth }, (_, i) => {
      const inner = i + 1 < depth ? `f${i + 1}` : last;
      const domain = inner.startsWith('f') ? 'acme' : '';
      const bytes = Uint8Array.from([
        ...field(1, `f${i}`),
        ...field(4, 'a'),
        ...field(5, 'b'),
        ...call(inner, 'a', 't', domain),
        ...call(inner, 't', 'b', domain),
        ...field(9, [...field(1, ''), ...varint(2, 14)]),
        ...field(10, 'acme'),
      ]);
      return { domain: 'acme', name: `f${i}`, bytes };
    });
    const b = graphBuilder({ opset: { '': 14, acme: 1 } });
    const x = b.input('x', 'float32', ['batch', 3, 8]);
    b.output(b.add('f0', [x], {}, 'y', { domain: 'acme' }), 'float32');
    return { ...modelOf(b.finish()), functions };
  }

  it('inlines functions that call each other, but refuses recursion and too many nodes', () => {
    expect(typesIn(nested(3, 'Relu'))).toEqual(Array(8).fill('Relu'));
    expect(() => prepareModel(nested(60, 'Relu'))).toThrow(
      /more than 262144 nodes after inlining its local/,
    );
    expect(() => prepareModel(nested(3, 'f1'))).toThrow(/the local function acme:f1 calls itself/);
  });
});

describe('gradientModel on old operator sets', () => {
  it.each([7, 8])('differentiates a model of opset %i like one of opset 9', async (opset) => {
    const build = (version: number) => {
      const b = graphBuilder({ opset: version });
      const x = b.input('x', 'float32', [1, 2, 2, 2]);
      const [scale, shift, mean] = [
        [2, 1],
        [0, 1],
        [0.5, 0],
      ].map((values) => b.constant(values, [2]));
      const spatial = version < 9 ? { spatial: 1 } : {};
      const norm = [x, scale, shift, mean, b.constant([1, 4], [2])];
      const y = b.add('BatchNormalization', norm, spatial);
      const scales = { type: 'floats', value: [1, 1, 2, 2] } as const;
      const larger =
        version < 9
          ? b.add('Upsample', [y], { mode: 'nearest', scales })
          : b.add('Upsample', [y, b.constant(scales.value, [4])], { mode: 'nearest' });
      b.output(b.add('GlobalAveragePool', [b.add('Relu', [larger])], {}, 'y'), 'float32');
      return gradientModel(modelOf(b.finish()), { of: 'y', wrt: ['x'] });
    };
    const gradientOf = async ({ model, cotangent, gradients }: ReturnType<typeof build>) => {
      const dy = new Tensor('float32', Float32Array.of(1, 1), [1, 2, 1, 1]);
      const results = await runModel(model, { x: randomTensor([1, 2, 2, 2]), [cotangent]: dy });
      return results[gradients.get('x') ?? ''].data as Float32Array;
    };
    const gradient = await gradientOf(build(opset));
    expect(gradient).toEqual(await gradientOf(build(9)));
    expect(Math.max(...gradient)).toBeGreaterThan(0.1);
  });
});
