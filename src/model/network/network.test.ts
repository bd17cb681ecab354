import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deconvnet, guidedBackprop, type RuleSet } from '../../autodiff/index.ts';
import type { FoveaError } from '../../errors.ts';
import { explain } from '../../explain.ts';
import {
  type DataType,
  type GraphBuilder,
  graphBuilder,
  modelOf,
  writeModel,
} from '../../onnx/index.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { createRandom } from '../../tensor/random.ts';
import { sizeOf, type Tensor, tensor } from '../../tensor/tensor.ts';
import { createMeter } from '../meter.ts';
import type { GradientRequest, Gradients, Model } from '../model.ts';
import { createOnnxModel } from '../onnx-model.ts';

const [SIDE, CHANNELS, CLASSES] = [6, 4, 3];
const random = createRandom(5);
const normal = (...shape: number[]) =>
  tensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
const kernel = normal(CHANNELS, 3, 3, 3);
const weights = normal(CHANNELS, CLASSES);
const batch = normal(5, 3, SIDE, SIDE);

interface Net {
  type?: DataType;
  size?: number | string;
  layout?: 'NCHW' | 'NHWC';
  activation?: (b: GraphBuilder, x: string) => string;
  softmax?: boolean;
}

/** Conv, an activation that makes `features`, the mean over pixels, Gemm: logits [n, 3]. */
function net({
  type = 'float32',
  size = 'n',
  layout = 'NCHW',
  activation = (b, x) => b.add('Relu', [x], {}, 'features'),
  softmax = false,
}: Net = {}): Uint8Array {
  const b = graphBuilder({ opset: 13 });
  const cast = (name: string) =>
    type === 'float32' ? name : b.add('Cast', [name], { to: type === 'float16' ? 10 : 1 });
  const input = b.input(
    'picture',
    type,
    layout === 'NCHW' ? [size, 3, SIDE, SIDE] : [size, SIDE, SIDE, 3],
  );
  const placed = layout === 'NCHW' ? input : b.add('Transpose', [input], { perm: [0, 3, 1, 2] });
  const conv = b.add('Conv', [placed, cast(b.constant(kernel.data, kernel.shape))], {
    kernel_shape: [3, 3],
    pads: [1, 1, 1, 1],
  });
  const pooled = b.add('GlobalAveragePool', [activation(b, conv)]);
  const logits = b.add(
    'Gemm',
    [b.add('Flatten', [pooled]), cast(b.constant(weights.data, weights.shape))],
    {},
    'logits',
  );
  b.output(softmax ? b.add('Softmax', [logits], { axis: 1 }) : logits, type, [size, CLASSES]);
  return writeModel(modelOf(b.finish()));
}

let runtime: Runtime;
const models: Model[] = [];
async function load(options: Net = {}): Promise<Model> {
  const model = await createOnnxModel({ name: 'net', bytes: net(options) }, runtime);
  models.push(model);
  return model;
}
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(async () => {
  for (const model of models) await model.dispose();
});

const gradients = (model: Model, request: Partial<GradientRequest> = {}): Promise<Gradients> =>
  model.inside?.gradients({
    batch,
    wrt: ['input'],
    targets: [0, 1, 2, 1, 0],
    ...request,
  }) as Promise<Gradients>;

const dot = (a: Tensor, b: Tensor) => a.data.reduce((sum, x, i) => sum + x * b.data[i], 0);

describe('gradients', () => {
  it('by a feature map of a linear head are its weights over the pixels, for each class', async () => {
    const {
      gradients: [gradient],
      values: [value],
      scores,
    } = await gradients(await load(), { wrt: ['features'] });
    expect(gradient.shape).toEqual([5, CHANNELS, SIDE, SIDE]);
    const area = SIDE * SIDE;
    [0, 1, 2, 1, 0].forEach((target, n) => {
      let score = 0;
      for (let c = 0; c < CHANNELS; c++) {
        for (let i = 0; i < area; i++) {
          const at = (n * CHANNELS + c) * area + i;
          expect(gradient.data[at]).toBeCloseTo(weights.data[c * CLASSES + target] / area, 6);
          score += gradient.data[at] * value.data[at];
        }
      }
      expect(scores.data[n]).toBeCloseTo(score, 4);
    });
  });

  it('by the picture agree with differences of scores, for logits and probabilities', async () => {
    const model = await load({ activation: (b, x) => b.add('Tanh', [x], {}, 'features') });
    const direction = normal(...batch.shape);
    const step = 1e-2;
    for (const score of ['logit', 'probability'] as const) {
      const moved = async (by: number) => {
        const shifted = tensor(
          batch.shape,
          batch.data.map((x, i) => x + by * direction.data[i]),
        );
        return (await gradients(model, { batch: shifted, wrt: [], score })).scores.data.reduce(
          (sum, x) => sum + x,
          0,
        );
      };
      const {
        gradients: [gradient],
      } = await gradients(model, { score });
      const difference = ((await moved(step)) - (await moved(-step))) / (2 * step);
      expect(Math.abs(dot(gradient, direction) - difference)).toBeLessThan(
        2e-2 * Math.abs(difference) + 2e-3,
      );
    }
  });

  it('do not depend on how the batch is split, nor on layout or a fixed batch', async () => {
    const model = await load();
    const whole = await gradients(model, { wrt: ['input', 'features'] });
    for (const batchSize of [1, 2]) {
      const parts = await gradients(model, { wrt: ['input', 'features'], batchSize });
      whole.gradients.forEach((gradient, i) =>
        expect(parts.gradients[i]).toBeAllClose(gradient, { rtol: 0, atol: 5e-6 }),
      );
    }
    const others = [
      await load({ layout: 'NHWC' }),
      await load({ size: 1 }),
      await load({ size: 2 }),
    ];
    for (const other of others)
      expect((await gradients(other)).gradients[0]).toBeAllClose(whole.gradients[0], {
        rtol: 0,
        atol: 5e-6,
      });
    expect((await gradients(await load({ type: 'float16' }))).gradients[0]).toBeAllClose(
      whole.gradients[0],
      { rtol: 0, atol: 0.05 },
    );
    expect(
      (await gradients(await load({ type: 'float16' }), { wrt: ['features'] })).values[0],
    ).toBeAllClose(whole.values[1], { rtol: 0, atol: 0.05 });
  });

  it('of the head alone are those of the whole network', async () => {
    const model = await load({ softmax: true });
    const [features] = (await model.inside?.activations(['features'], batch)) ?? [];
    const whole = await gradients(model, { wrt: ['features'] });
    const head = await gradients(model, { wrt: ['input'], at: 'features', batch: features });
    expect(head.gradients[0]).toBeAllClose(whole.gradients[0], { rtol: 0, atol: 5e-6 });
    expect(head.scores).toBeAllClose(whole.scores, { rtol: 0, atol: 5e-6 });
    expect(
      (await gradients(model, { wrt: [], at: 'features', batch: features, score: 'probability' }))
        .scores,
    ).toBeAllClose((await gradients(model, { wrt: [], score: 'probability' })).scores, {
      rtol: 0,
      atol: 5e-6,
    });
  });

  it('of guided backpropagation and DeconvNet follow their rules at ReLU and ReLU6', async () => {
    const relu6 = (b: GraphBuilder, x: string) =>
      b.add('Clip', [x, b.constant(0), b.constant(0.5)], {}, 'features');
    for (const activation of [undefined, relu6]) {
      const model = await load({
        activation: (b, x) =>
          (activation ?? ((g, y) => g.add('Relu', [y], {}, 'features')))(
            b,
            b.add('Identity', [x], {}, 'before'),
          ),
      });
      const by = async (name: string, rules?: RuleSet) =>
        (await gradients(model, { wrt: [name], rules })).gradients[0];
      const {
        values: [value],
      } = await gradients(model, { wrt: ['features'] });
      const dy = await by('features');
      const high = activation ? 0.5 : Number.POSITIVE_INFINITY;
      const below = tensor(
        dy.shape,
        dy.data.map((g, i) => (value.data[i] < high ? g : 0)),
      );
      expect(await by('before', guidedBackprop)).toBeAllClose(
        tensor(
          dy.shape,
          below.data.map((g, i) => (value.data[i] > 0 ? Math.max(0, g) : 0)),
        ),
        { rtol: 0, atol: 5e-6 },
      );
      expect(await by('before', deconvnet)).toBeAllClose(
        tensor(
          dy.shape,
          below.data.map((g) => Math.max(0, g)),
        ),
        { rtol: 0, atol: 5e-6 },
      );
    }
  });

  it('pass GatherElements, whose gradient is a scatter that adds, at opset 13', async () => {
    const columns = [0, 0, 0, 2, 2, 5];
    const model = await load({
      activation: (b, x) => {
        const before = b.add('Identity', [x], {}, 'before');
        const indices = b.constant(columns.map(BigInt), [1, 1, 1, SIDE], 'int64');
        const everywhere = b.add('Expand', [indices, b.add('Shape', [before])]);
        return b.add(
          'Relu',
          [b.add('GatherElements', [before, everywhere], { axis: 3 })],
          {},
          'features',
        );
      },
    });
    const {
      gradients: [gradient],
      values: [value],
    } = await gradients(model, { wrt: ['before'] });
    const expected = value.data.map((x, i) => {
      const [column, row] = [i % SIDE, Math.floor(i / (CHANNELS * SIDE * SIDE))];
      const channel = Math.floor(i / (SIDE * SIDE)) % CHANNELS;
      const read = columns.filter((each) => each === column).length;
      const weight = weights.data[channel * CLASSES + [0, 1, 2, 1, 0][row]];
      return x > 0 ? (read * weight) / (SIDE * SIDE) : 0;
    });
    expect(gradient).toBeAllClose(tensor(value.shape, expected), { rtol: 0, atol: 5e-7 });
  });

  it('are counted in pictures', async () => {
    const meter = createMeter();
    const model = meter.wrap(await load());
    await gradients(model);
    await gradients(model, { wrt: [] });
    expect(meter.calls()).toEqual({ forward: 10, backward: 5 });
  });

  it('say what cannot be done: the operator, the tensor, the class', async () => {
    const model = await load({
      activation: (b, x) => b.add('Relu', [b.add('NonZero', [x])]),
    }).catch((error: Error) => error.message);
    expect(model).toMatch(/net/);
    const sorted = await load({
      activation: (b, x) =>
        b.add('Relu', [b.add('If', [b.constant([1], [], 'bool')], branches(x), 'branched')]),
    });
    await expect(gradients(sorted)).rejects.toThrow(
      /net: .*differentiated at the If node .*methods that need no gradients still work/,
    );
    await expect(gradients(await load(), { wrt: ['featurs'] })).rejects.toThrow(
      /net: the model has no tensor "featurs".*"features"/,
    );
    await expect(gradients(await load(), { targets: [3] })).rejects.toThrow(
      'target 3: expected 0 to 2',
    );
    await expect(gradients(await load(), { targets: [1, 2] })).rejects.toThrow(
      '2 targets for 5 rows',
    );
  });
});

/** Reads the shape of feature maps that inference does not know. */
const shaped = (b: GraphBuilder, x: string) =>
  b.add('Reshape', [
    x,
    b.constant([-1n, BigInt(CHANNELS), BigInt(SIDE), BigInt(SIDE)], [4], 'int64'),
  ]);

/**
 * What a part of a network that cannot be differentiated computes from x, and what the error says
 * of it.
 */
const refusals: Record<
  string,
  { readonly says: RegExp; readonly build: (b: GraphBuilder, x: string) => string }
> = {
  If: {
    says: /the If node "stop": the data decide which branch runs; export .* control flow;/,
    build: (b, x) => b.add('If', [b.constant([1], [], 'bool')], branches(x), 'stop'),
  },
  Loop: {
    says: /the Loop node "stop": the data decide how often it repeats a graph; .* control flow;/,
    build: (b, x) =>
      shaped(
        b,
        b.add('Loop', [b.constant([2n], [], 'int64'), '', x], { body: loopBody() }, 'stop'),
      ),
  },
  Scan: {
    says: /the Scan node "stop": the data decide how often/,
    build: (b, x) =>
      shaped(b, b.add('Scan', [x], { body: scanBody(), num_scan_inputs: 1 }, 'stop')),
  },
  'a domain of its own': {
    says: /the com.microsoft:Inverse node "stop": Fovea has no gradient rule for this operator;/,
    build: (b, x) => shaped(b, b.add('Inverse', [x], {}, 'stop', { domain: 'com.microsoft' })),
  },
  'an operator without a gradient': {
    says: /the Compress node "stop": the elements that it keeps are known only when the model runs;/,
    build: (b, x) =>
      b.add('Compress', [x, b.constant([1, 1, 1, 1], [4], 'bool')], { axis: 1 }, 'stop'),
  },
  QLinearConv: {
    says: /the QLinearConv node "stop": integer arithmetic has no gradient; use .* QuantizeLinear/,
    build(b, x) {
      const [scale, zero] = [b.constant([0.05], []), b.constant([128], [], 'uint8')];
      const weights = b.constant(
        new Array<number>(CHANNELS * CHANNELS).fill(1),
        [CHANNELS, CHANNELS, 1, 1],
        'uint8',
      );
      const q = b.add('QuantizeLinear', [x, scale, zero]);
      return b.add('DequantizeLinear', [
        b.add(
          'QLinearConv',
          [q, scale, zero, weights, scale, b.constant([0], [], 'uint8'), scale, zero],
          {},
          'stop',
        ),
        scale,
        zero,
      ]);
    },
  },
  'ConvInteger and DynamicQuantizeLinear': {
    says: /the ConvInteger node "conv": integer arithmetic has no gradient/,
    build(b, x) {
      const weights = b.constant(
        new Array<number>(CHANNELS * CHANNELS).fill(1),
        [CHANNELS, CHANNELS, 1, 1],
        'uint8',
      );
      const [q, , zero] = b.add('DynamicQuantizeLinear', [x], {}, [
        'stop',
        'stop/scale',
        'stop/zero',
      ]);
      return b.add('Cast', [b.add('ConvInteger', [q, weights, zero], {}, 'conv')], { to: 1 });
    },
  },
  MatMulInteger: {
    says: /the MatMulInteger node "stop": integer arithmetic has no gradient/,
    build(b, x) {
      const q = b.add('QuantizeLinear', [
        x,
        b.constant([0.05], []),
        b.constant([128], [], 'uint8'),
      ]);
      const weights = b.constant(new Array<number>(SIDE * SIDE).fill(1), [SIDE, SIDE], 'uint8');
      return b.add('Cast', [b.add('MatMulInteger', [q, weights], {}, 'stop')], { to: 1 });
    },
  },
};

describe('activations with replaced tensors', () => {
  it('leave the batches of later calls as large as before', async () => {
    // A row of features has 23 MB: two of them are all that may cross into a session at once.
    const wide = 200 * SIDE;
    const bytes = net({
      activation: (b, x) => {
        const before = b.add('Identity', [x], {}, 'before');
        return b.add(
          'Tile',
          [before, b.constant([1n, 1n, 200n, 200n], [4], 'int64')],
          {},
          'features',
        );
      },
    });
    const model = await createOnnxModel({ name: 'net', bytes, memoryBudget: 2 ** 30 }, runtime);
    models.push(model);
    const pictures = normal(4, 3, SIDE, SIDE);
    const batches = async (): Promise<number[]> => {
      const done: number[] = [];
      await model.classify(pictures, { onProgress: (rows) => done.push(rows) });
      return done;
    };
    expect(await batches()).toEqual([4]);
    const crossing: number[] = [];
    await model.inside?.activations(['logits', 'before'], pictures, {
      replace: { features: tensor([4, CHANNELS, wide, wide]) },
      onProgress: (rows) => crossing.push(rows),
    });
    expect(crossing).toEqual([2, 4]);
    expect(await batches()).toEqual([4]);
  });
});

describe('a network that cannot be differentiated', () => {
  it.each(Object.entries(refusals))(
    'with %s says at which node, and that other methods still work',
    async (_, { says, build }) => {
      const model = await load({
        activation: (b, x) =>
          b.add('Relu', [build(b, b.add('Identity', [x], {}, 'early'))], {}, 'features'),
      });
      const error: FoveaError = await gradients(model).then(
        () => undefined,
        (reason) => reason,
      );
      expect(error).toMatchObject({ name: 'FoveaError', code: 'unsupported' });
      expect(error.message).toMatch(/^net: the model cannot be differentiated at /);
      expect(error.message).toMatch(says);
      expect(error.message).toMatch(/; methods that need no gradients still work$/);
      expect(error.message).not.toContain('\n');
      // What still works: scores, inner tensors, and the gradients behind the node.
      const { scores } = await gradients(model, { wrt: [] });
      expect(scores.data.every(Number.isFinite)).toBe(true);
      const {
        gradients: [gradient],
      } = await gradients(model, { wrt: ['features'] });
      expect(gradient.data[0]).not.toBe(0);
      await expect(
        explain(model, normal(1, 3, SIDE, SIDE), { method: 'gradient' }),
      ).rejects.toThrow(says);
      const { map } = await explain(model, normal(1, 3, SIDE, SIDE), {
        method: 'occlusion',
        options: { window: 3, stride: 3 },
      });
      expect(map.data.length).toBe(SIDE * SIDE);
    },
  );
});

/** Both branches of an If that passes a tensor of the outer graph. */
function branches(x: string) {
  const branch = (name: string) => {
    const b = graphBuilder({ opset: 13, name });
    b.output(b.add('Identity', [x], {}, `${name}/out`), 'float32', null);
    return b.finish();
  };
  return { then_branch: branch('then'), else_branch: branch('else') };
}

/** A Loop's body that halves what it carries. */
function loopBody() {
  const b = graphBuilder({ opset: 13, name: 'loop' });
  b.input('i', 'int64', []);
  b.output(b.add('Identity', [b.input('go', 'bool', [])], {}, 'on'), 'bool', []);
  b.output(
    b.add('Mul', [b.input('carried', 'float32', null), b.constant(0.5)], {}, 'halved'),
    'float32',
    null,
  );
  return b.finish();
}

/** A Scan's body that halves each picture. */
function scanBody() {
  const b = graphBuilder({ opset: 13, name: 'scan' });
  b.output(
    b.add('Mul', [b.input('one', 'float32', null), b.constant(0.5)], {}, 'halved'),
    'float32',
    null,
  );
  return b.finish();
}
