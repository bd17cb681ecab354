import { describe, expect, it } from 'vitest';
import { type GraphBuilder, graphBuilder, modelOf, writeModel } from '../onnx/index.ts';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { createLoader, net, picture, SIDE } from './fixtures/small-classifier.ts';

const load = createLoader();

describe('the batch', () => {
  const two = () =>
    tensor(
      [2, 3, SIDE, SIDE],
      Float32Array.from([...picture().data, ...picture().data.map((x) => -x)]),
    );

  it.each([1, 2, 4])(
    'of a model exported for %i is made dynamic or filled up, with the same scores',
    async (batch) => {
      const expected = (await (await load(net())).classify(two())).data;
      const actual = (await (await load(net({ batch }))).classify(two())).data;
      actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 6));
    },
  );

  it('stays 1 if the graph mixes the pictures of a batch', async () => {
    // This normalizes over the whole batch, so a dynamic batch would change the scores.
    const mixing = net({
      batch: 1,
      end: (b, logits) =>
        b.add('Sub', [logits, b.add('ReduceMean', [logits], { axes: [0, 1], keepdims: 1 })]),
    });
    const model = await load(mixing);
    const both = (await model.classify(two())).data;
    const first = (await model.classify(picture())).data;
    first.forEach((value, i) => expect(both[i]).toBeCloseTo(value, 6));
  });
});

describe('the scores', () => {
  const softmax = (b: GraphBuilder, x: string) => b.add('Softmax', [x], { axis: 1 });

  it('are logits unless a softmax ends the graph; then both kinds are available', async () => {
    const plain = await load(net());
    const ended = await load(net({ end: softmax }));
    expect([plain.output, ended.output]).toEqual(['logits', 'probabilities']);
    for (const score of ['logit', 'probability'] as const) {
      const [a, b] = [
        await plain.classify(picture(), { score }),
        await ended.classify(picture(), { score }),
      ];
      a.data.forEach((value, i) => expect(b.data[i]).toBeCloseTo(value, 5));
    }
  });

  it('count as probabilities if a softmax is written in other operators', async () => {
    const spelled = await load(
      net({
        end: (b, x) =>
          b.add('Div', [
            b.add('Exp', [x]),
            b.add('ReduceSum', [b.add('Exp', [x]), b.constant([1], [1], 'int64')], { keepdims: 1 }),
          ]),
      }),
    );
    expect(spelled.output).toBe('probabilities');
    await expect(spelled.classify(picture(), { score: 'logit' })).rejects.toMatchObject({
      code: 'unsupported',
    });
    const expected = await (await load(net())).classify(picture());
    (await spelled.classify(picture())).data.forEach((value, i) =>
      expect(value).toBeCloseTo(expected.data[i], 5),
    );
  });

  it('of a sigmoid head are independent probabilities', async () => {
    const model = await load(net({ end: (b, x) => b.add('Sigmoid', [x]) }));
    const logits = await model.classify(picture(), { score: 'logit' });
    expect(model.output).toBe('probabilities');
    (await model.classify(picture())).data.forEach((p, i) =>
      expect(p).toBeCloseTo(1 / (1 + Math.exp(-logits.data[i])), 5),
    );
  });

  it('can be declared by the caller', async () => {
    const model = await load(net({ end: softmax }), { output: 'logits' });
    const twice = await model.classify(picture());
    expect(model.output).toBe('logits');
    expect(Math.max(...twice.data)).toBeLessThan(0.48); // softmax of a softmax of four classes
  });

  it('must be finite', async () => {
    const bad = load(
      net({
        end: (b, x) =>
          b.add('Log', [
            b.add('Sub', [x, b.add('Add', [b.add('Abs', [x]), b.constant([1], [1])])]),
          ]),
      }),
    );
    await expect(bad.then((model) => model.classify(picture()))).rejects.toThrow(/NaN or infinite/);
  });
});

describe('inner tensors', () => {
  it('of a half-precision network come out as float32', async () => {
    const half = (b: GraphBuilder, values: Float32Array, shape: number[]) =>
      b.add('Cast', [b.constant(values, shape)], { to: 10 });
    const b = graphBuilder({ opset: 13 });
    const random = createRandom(5);
    const weights = Float32Array.from({ length: 18 }, () => random.normal());
    const conv = b.add(
      'Conv',
      [b.input('picture', 'float16', ['n', 3, SIDE, SIDE]), half(b, weights, [6, 3, 1, 1])],
      {
        kernel_shape: [1, 1],
        strides: [2, 2],
      },
    );
    const features = b.add('Relu', [conv], {}, 'features');
    const pooled = b.add('Flatten', [b.add('GlobalAveragePool', [features])]);
    b.output(pooled, 'float16', ['n', 6]);
    const model = await load(b.finish());
    expect(model.inside?.featureMaps().map((map) => map.name)).toContain('features');
    const input = picture();
    const [values] = (await model.inside?.activations(['features'], input)) ?? [];
    const [side, area] = [SIDE / 2, SIDE * SIDE];
    expect(values.shape).toEqual([1, 6, side, side]);
    for (const [k, i] of [
      [0, 0],
      [3, 17],
      [5, side ** 2 - 1],
    ]) {
      // The convolution steps by two.
      const pixel = 2 * Math.floor(i / side) * SIDE + 2 * (i % side);
      const expected = Math.max(
        0,
        [0, 1, 2].reduce((sum, c) => sum + weights[3 * k + c] * input.data[c * area + pixel], 0),
      );
      expect(values.data[k * side ** 2 + i]).toBeCloseTo(expected, 1);
    }
  });
});

describe('what is missing', () => {
  it('is assumed, with a warning: labels and preprocessing', async () => {
    const model = await load(net());
    expect(model.labels).toEqual(['0', '1', '2', '3']);
    expect(model.preprocessing.mean).toEqual([0.485, 0.456, 0.406]);
    expect(model.warnings).toHaveLength(2);
    const known = await load(net(), {
      labels: ['a', 'b', 'c', 'd'],
      preprocessing: { mean: [0], std: [1] },
    });
    expect(known.warnings).toEqual([]);
  });

  it('is refused if it does not fit', async () => {
    await expect(load(net(), { labels: ['a'] })).rejects.toThrow(/4 classes, but 1 labels/);
    await expect(load(net({ channels: 1 }), { preprocessing: { colour: 'RGB' } })).rejects.toThrow(
      /takes 1 channels/,
    );
  });

  it('takes an open size from the preprocessing', async () => {
    const model = await load(net({ size: 'side' }), { preprocessing: { size: [20, 16] } });
    expect(model.preprocessing.size).toEqual([20, 16]);
  });

  it('keeps its crop if it is written for another size, with a warning', async () => {
    const [labels, mean, std] = [
      ['a', 'b', 'c', 'd'],
      [0, 0, 0],
      [1, 1, 1],
    ];
    const model = await load(net(), {
      labels,
      preprocessing: {
        mean,
        std,
        size: [2 * SIDE, 2 * SIDE],
        resize: 'crop',
        shorterSide: 2 * SIDE + 8,
      },
    });
    expect([model.preprocessing.size, model.preprocessing.shorterSide]).toEqual([
      [SIDE, SIDE],
      SIDE + 4,
    ]);
    expect(model.warnings).toHaveLength(1);
    expect(model.warnings[0]).toMatch(/written for 24×24, but the graph takes 12×12/);
    const deit = await load(net(), {
      labels,
      preprocessing: {
        mean,
        std,
        size: [SIDE, SIDE],
        resize: 'crop',
        stretchedSize: [SIDE + 2, SIDE + 3],
      },
    });
    expect([deit.preprocessing.stretchedSize, deit.warnings]).toEqual([[SIDE + 2, SIDE + 3], []]);
  });
});

describe('a model that is not a classifier', () => {
  it('is refused in one sentence', async () => {
    const b = graphBuilder({ opset: 13 });
    b.output(b.add('Relu', [b.input('x', 'float32', ['n', 8])]), 'float32', ['n', 8]);
    await expect(load(b.finish())).rejects.toThrow(
      /net: not an image classifier: expected one input of four dimensions.*x float32 \[n, 8\]/,
    );
    const c = graphBuilder({ opset: 13 });
    c.output(c.add('Relu', [c.input('x', 'float32', ['n', 3, 8, 8])]), 'float32', ['n', 3, 8, 8]);
    await expect(load(c.finish())).rejects.toThrow(
      /expected an output of shape \[batch, classes\]/,
    );
    await expect(
      load(net(), { name: 'cut', bytes: writeModel(modelOf(net())).subarray(0, 500) }),
    ).rejects.toMatchObject({ code: 'model' });
  });
});

describe('features', () => {
  it('are found and read', async () => {
    const model = await load(net());
    const maps = model.inside?.featureMaps() ?? [];
    expect(maps).toEqual([]); // a map at the resolution of the picture is not coarser than it
    const [features] = (await model.inside?.activations(['features'], picture())) ?? [];
    expect(features.shape).toEqual([1, 6, SIDE, SIDE]);
    expect(Math.min(...features.data)).toBe(0);
  });
});
