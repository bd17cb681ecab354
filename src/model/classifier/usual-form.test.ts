import { afterEach, describe, expect, it } from 'vitest';
import {
  type Attribute,
  type Graph,
  type GraphBuilder,
  graphBuilder,
  modelOf,
  writeModel,
} from '../../onnx/index.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { tensor } from '../../tensor/tensor.ts';
import { INPUT, type Model } from '../model.ts';
import { createOnnxModel, type OnnxModelSource } from '../onnx-model.ts';
import { rescalesPixels } from './rescales-pixels.ts';

let model: Model | undefined;
afterEach(async () => {
  await model?.dispose();
  model = undefined;
});

async function load(graph: Graph, source: Partial<OnnxModelSource> = {}): Promise<Model> {
  const bytes = writeModel(modelOf(graph));
  const runtime = await createNodeRuntime({ threads: 1 });
  model = await createOnnxModel({ name: 'net', bytes, ...source }, runtime);
  return model;
}
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (e: { code: string; message: string }) => `${e.code}: ${e.message}`,
  );

const OPEN = ['n', 3, 4, 4] as const;
/** The mean of each channel, [n, 3]. */
const means = (b: GraphBuilder, x: string, output?: string) =>
  b.add('Flatten', [b.add('GlobalAveragePool', [x])], {}, output);
/** Two pictures, the channels of the first 1, 2, 3 and of the second 4, 5, 6. */
const pictures = tensor(
  [2, 3, 4, 4],
  Float32Array.from({ length: 96 }, (_, i) => 1 + Math.floor(i / 16)),
);
const logits = async (of: Model) => [...(await of.classify(pictures, { score: 'logit' })).data];
const SIX = [1, 2, 3, 4, 5, 6];

function simple(opset: number, shape: readonly (number | string)[] = OPEN) {
  const b = graphBuilder({ opset });
  means(b, b.input('x', 'float32', shape), 'y');
  b.output('y', 'float32', ['n', 3]);
  return b.finish();
}

describe('the end of a graph', () => {
  it('may be a ZipMap, whose labels are used', async () => {
    const b = graphBuilder({ opset: 13 });
    const p = b.add('Softmax', [means(b, b.input('x', 'float32', OPEN))], {}, 'p');
    b.output(p, 'float32', ['n', 3]);
    const graph = b.finish();
    const labels: Attribute = { type: 'strings', value: ['cat', 'dog', 'owl'] };
    const zipMap = {
      ...{ name: 'zip', opType: 'ZipMap', domain: 'ai.onnx.ml', otherFields: [] },
      ...{
        inputs: ['p'],
        outputs: ['maps'],
        attributes: new Map([['classlabels_strings', labels]]),
      },
    };
    const outputs = [{ name: 'maps', type: null, shape: null, otherFields: [] }];
    const opset = new Map([...graph.opset, ['ai.onnx.ml', 2] as const]);
    await load({ ...graph, nodes: [...graph.nodes, zipMap], outputs, opset });
    expect(model).toMatchObject({ labels: ['cat', 'dog', 'owl'], output: 'probabilities' });
    expect(await logits(model as Model)).toEqual(SIX);
  });

  it('is refused for a detector; a warning names the output that is used', async () => {
    const detector = graphBuilder({ opset: 13 });
    const x = detector.input('x', 'float32', [1, 3, 4, 4]);
    const shaped = (sizes: number[], name: string) =>
      detector.add('Reshape', [x, detector.constant(sizes, [3], 'int64')], {}, name);
    for (const [name, sizes] of [
      ['scores', [1, 48, 1]],
      ['places', [1, 12, 4]],
    ] as const)
      detector.output(shaped([...sizes], name), 'float32', [...sizes]);
    expect(await errorOf(load(detector.finish()))).toMatch(
      /^model: net: not an image classifier but a detector: its outputs are boxes and their scores.*places/,
    );
    const chooser = graphBuilder({ opset: 13 });
    const z = chooser.input('x', 'float32', [1, 3, 4, 4]);
    const boxes = chooser.add('Reshape', [z, chooser.constant([1, 12, 4], [3], 'int64')]);
    const scores = chooser.add('ReduceMax', [boxes], { axes: [2], keepdims: 0 }, 'scores');
    const places = chooser.add('Unsqueeze', [scores, chooser.constant([1], [1], 'int64')]);
    const most = chooser.constant([5], [1], 'int64');
    chooser.add('NonMaxSuppression', [boxes, places, most], {}, 'chosen');
    chooser.output('scores', 'float32', [1, 12]);
    chooser.output('chosen', 'int64', ['boxes', 3]);
    expect(await errorOf(load(chooser.finish()))).toMatch(
      /but a detector: its outputs are boxes and their scores \(scores/,
    );
    const whole = graphBuilder({ opset: 13 });
    const v = whole.input('x', 'float32', [1, 3, 4, 4]);
    whole.add('Reshape', [v, whole.constant([1, 12, 4], [3], 'int64')], {}, 'boxes');
    whole.add('ReduceMax', ['boxes'], { axes: [2], keepdims: 0 }, 'scores');
    whole.output('scores', 'float32', [1, 12]);
    whole.output('boxes', 'float32', [1, 12, 4]);
    expect(await errorOf(load(whole.finish()))).toMatch(
      /but a detector: its outputs are boxes and their scores \(scores/,
    );
    const b = graphBuilder({ opset: 13 });
    const y = means(b, b.input('x', 'float32', OPEN), 'y');
    for (const name of ['scores', 'aside']) {
      b.add('Identity', [y], {}, name);
      b.output(name, 'float32', ['n', 3]);
    }
    const { warnings } = await load(b.finish());
    expect(warnings).toContainEqual(
      expect.stringMatching(/several outputs; the scores of scores are used, not aside/),
    );
  });

  it('may be logits of independent classes', async () => {
    const source = { independent: true, labels: ['a', 'b', 'c'] };
    const { data } = await (await load(simple(13), source)).classify(pictures);
    expect(data[1]).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
  });
});

describe('the start of a graph', () => {
  const head = (build: (b: GraphBuilder, x: string) => string) => {
    const b = graphBuilder({ opset: 13 });
    means(b, build(b, b.input('x', 'float32', OPEN)), 'y');
    b.output('y', 'float32', ['n', 3]);
    return b.finish();
  };
  const add = (op: string, value: number | number[]) => (b: GraphBuilder, x: string) =>
    b.add(op, [x, b.constant([value].flat(), Array.isArray(value) ? [1, 3, 1, 1] : [1])]);
  const both =
    (...steps: ((b: GraphBuilder, x: string) => string)[]) =>
    (b: GraphBuilder, x: string) =>
      steps.reduce((y, step) => step(b, y), x);
  it.each([
    ['x / 255', add('Div', 255)],
    ['x · (1/127.5) - 1', both(add('Mul', 1 / 127.5), add('Sub', 1))],
    ['(x - 127.5) / 127.5', both(add('Sub', 127.5), add('Div', 127.5))],
    ['x - the mean of ImageNet in 0-255', add('Sub', [123.68, 116.78, 103.94])],
    ['x / 255, then mean and std', both(add('Div', 255), add('Sub', 0.45), add('Div', 0.22))],
  ])('that scales pixels itself gets pixels of 0-255: %s', async (_what, build) => {
    expect(rescalesPixels(head(build), 'x')).toBe(true);
    const { preprocessing, warnings } = await load(head(build));
    expect(preprocessing).toMatchObject({ scale: '0-255', mean: [0, 0, 0], std: [1, 1, 1] });
    expect(warnings.join()).toMatch(/pixels of 0-255 are fed as they are/);
    await model?.dispose();
    const given = { preprocessing: { mean: [0.5, 0.5, 0.5], std: [1, 1, 1] } };
    expect((await load(head(build), given)).preprocessing.scale).toBe('0-1');
  });

  it.each([
    ['nothing', (_: GraphBuilder, x: string) => x],
    ['mean and std of 0-1', both(add('Sub', [0.485, 0.456, 0.406]), add('Div', 0.226))],
    ['2x - 1', both(add('Mul', 2), add('Sub', 1))],
  ])('that does not scale them gets the usual preprocessing: %s', (_what, build) => {
    expect(rescalesPixels(head(build), 'x')).toBe(false);
  });

  it.each([9, 13])('gets pixels of 0-255 if it takes bytes, at opset %i', async (opset) => {
    const b = graphBuilder({ opset });
    means(b, b.add('Cast', [b.input('x', 'uint8', OPEN)], { to: 1 }), 'y');
    b.output('y', 'float32', ['n', 3]);
    const { preprocessing } = await load(b.finish());
    expect(preprocessing).toMatchObject({ scale: '0-255', mean: [0, 0, 0], std: [1, 1, 1] });
    const near = [-3, 0.4, 0.6, 7.2, 254.6, 300].flatMap((v) => new Array<number>(16).fill(v));
    const batch = tensor([2, 3, 4, 4], Float32Array.from(near));
    const { data } = (await model?.classify(batch, { score: 'logit' })) ?? {};
    expect([...(data ?? [])]).toEqual([0, 0, 1, 7, 255, 255]);
    // Rounding counts as the identity, and pixels beyond the range have no effect.
    if (opset < 10) return;
    const request = { batch, wrt: [INPUT], targets: [0] };
    const { gradients } = (await model?.inside?.gradients(request)) ?? {};
    const slopes = gradients?.[0]?.data ?? [];
    expect([0, 16, 48, 64].map((i) => slopes[i])).toEqual([0, 0, 1 / 16, 0]);
  });
});

describe('sizes', () => {
  it('of height and width may be open', async () => {
    const of = await load(simple(13, ['n', 3, 'h', 'w']), { preprocessing: { size: [4, 4] } });
    expect(await logits(of)).toEqual(SIX);
  });

  it('of the batch may be open outside and 1 inside', async () => {
    const b = graphBuilder({ opset: 13 });
    const pooled = b.add('GlobalAveragePool', [b.input('x', 'float32', OPEN)]);
    b.add('Reshape', [pooled, b.constant([1, 3], [2], 'int64')], {}, 'y');
    b.output('y', 'float32', [1, 3]);
    expect(await logits(await load(b.finish()))).toEqual(SIX);
  });

  it('of the batch are 1 if pictures of a batch change each other', async () => {
    const b = graphBuilder({ opset: 13 });
    const y = means(b, b.input('x', 'float32', OPEN));
    const whole = b.add('ReduceMax', [y], { keepdims: 0 });
    b.add('Div', [y, whole], {}, 'y');
    b.output('y', 'float32', ['n', 3]);
    const scores = await logits(await load(b.finish()));
    expect(scores).toEqual([1 / 3, 2 / 3, 1, 4 / 6, 5 / 6, 1].map(Math.fround));
  });

  it('of the batch may be read from the input for a Reshape', async () => {
    const b = graphBuilder({ opset: 13 });
    const x = b.input('x', 'float32', OPEN);
    const map = b.add('Relu', [x], {}, 'map');
    const first = b.add('Gather', [b.add('Shape', [x]), b.constant([0], [1], 'int64')]);
    const shape = b.add('Concat', [first, b.constant([3], [1], 'int64')], { axis: 0 });
    b.add('Reshape', [b.add('GlobalAveragePool', [map]), shape], {}, 'y');
    b.output('y', 'float32', ['n', 3]);
    const of = await load(b.finish());
    expect(await logits(of)).toEqual(SIX);
    const head = await of.inside?.gradients({
      ...{ batch: pictures, at: 'map', wrt: [INPUT], targets: [0, 1], score: 'logit' },
    });
    expect(head?.scores.data).toEqual(Float32Array.of(1, 5));
  });

  it('of a Resize may be constants that begin with the batch', async () => {
    const b = graphBuilder({ opset: 13 });
    const x = b.input('x', 'float32', [1, 3, 4, 4]);
    const sizes = b.constant([1, 3, 8, 8], [4], 'int64');
    means(b, b.add('Resize', [x, '', '', sizes], { mode: 'nearest' }), 'y');
    b.output('y', 'float32', [1, 3]);
    const of = await load(b.finish());
    expect(await logits(of)).toEqual(SIX);
    const { gradients } = (await of.inside?.gradients({
      ...{ batch: pictures, wrt: [INPUT], targets: [0, 1], score: 'logit' },
    })) ?? { gradients: [] };
    expect(gradients[0]?.data[0]).toBeCloseTo(1 / 16);
  });
});

it.each([7, 8])('opset %i is read as opset 9', async (opset) => {
  const of = await load(simple(opset));
  expect(await logits(of)).toEqual(SIX);
  const found = await of.inside?.gradients({
    ...{ batch: pictures, wrt: [INPUT], targets: [0, 1], score: 'logit' },
  });
  expect(found?.gradients[0]?.data[0]).toBeCloseTo(1 / 16);
});
