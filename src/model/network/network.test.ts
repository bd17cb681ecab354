import { describe, expect, it } from 'vitest';
import { deconvnet, guidedBackprop, type RuleSet } from '../../autodiff/index.ts';
import type { GraphBuilder } from '../../onnx/index.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import {
  batch,
  branches,
  CHANNELS,
  CLASSES,
  createLoader,
  gradients,
  net,
  normal,
  SIDE,
  weights,
} from '../fixtures/small-network.ts';
import { createMeter } from '../meter.ts';

const load = createLoader();

const dot = (a: Tensor, b: Tensor) => a.data.reduce((sum, x, i) => sum + x * b.data[i], 0);

describe('gradients', () => {
  it('by a feature map before a linear head are its weights divided by the pixels', async () => {
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

  it('by the picture agree with finite differences, for logits and probabilities', async () => {
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

  it('name the operator, the tensor or the class that is wrong', async () => {
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

describe('activations with replaced tensors', () => {
  it('leave the batches of later calls as large as before', async () => {
    // A row of features has 23 MB, so only two of them fit into one session call.
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
    const model = await load({}, { bytes, memoryBudget: 2 ** 30 });
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
