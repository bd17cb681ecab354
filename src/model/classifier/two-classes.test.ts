import { describe, expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { methods } from '../../methods/index.ts';
import { type GraphBuilder, graphBuilder, modelOf, writeModel } from '../../onnx/index.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { tensor } from '../../tensor/tensor.ts';
import { INPUT } from '../model.ts';
import { createOnnxModel } from '../onnx-model.ts';
import { parseTarget, resolveTargets } from '../target.ts';

const SIDE = 8;
/** Dark on the left, bright on the right. */
const picture = tensor(
  [1, 3, SIDE, SIDE],
  Float32Array.from({ length: 3 * SIDE * SIDE }, (_, i) => (i % SIDE < SIDE / 2 ? -1 : 0.5)),
);
/** The score is the mean of all values, and 0.2 more. */
const SCORE = -0.25 + 0.2;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** A network with one score: its logit, put out by `end`. */
async function load(end: (b: GraphBuilder, x: string) => string, labels?: string[]) {
  const b = graphBuilder({ opset: 13 });
  const x = b.input('x', 'float32', ['n', 3, SIDE, SIDE]);
  const map = b.add('Conv', [
    x,
    b.constant(
      [1, 1, 1].map((w) => w / 3),
      [1, 3, 1, 1],
    ),
  ]);
  const mean = b.add('Flatten', [b.add('GlobalAveragePool', [map])]);
  b.output(end(b, b.add('Add', [mean, b.constant([0.2], [1])])), 'float32', ['n', 1]);
  const bytes = writeModel(modelOf(b.finish()));
  return createOnnxModel({ name: 'one', bytes, labels }, await createNodeRuntime({ threads: 1 }));
}

const ends = {
  logit: (b: GraphBuilder, x: string) => b.add('Identity', [x]),
  sigmoid: (b: GraphBuilder, x: string) => b.add('Sigmoid', [x]),
  // A sigmoid that nothing recognizes as such: probabilities without logits.
  softsign: (b: GraphBuilder, x: string) =>
    b.add('Div', [
      b.constant([1], [1]),
      b.add('Add', [b.add('Exp', [b.add('Neg', [x])]), b.constant([1], [1])]),
    ]),
};

describe.each(['logit', 'sigmoid'] as const)('a model that ends in one %s', (end) => {
  it('has a class for a low score and a class for a high score', async () => {
    const model = await load(ends[end], ['defect']);
    expect(model.labels).toEqual(['not defect', 'defect']);
    expect((await model.classify(picture)).data).toBeAllClose([sigmoid(-SCORE), sigmoid(SCORE)]);
    const logits = (await model.classify(picture, { score: 'logit' })).data;
    expect(logits).toBeAllClose([-SCORE, SCORE]);
    const request = { batch: picture, wrt: [INPUT], targets: [0] };
    const slope = await model.inside?.gradients(request);
    expect(slope?.gradients[0].data[5]).toBeCloseTo(-1 / picture.data.length, 8);
    const { data } = await model.classify(picture);
    for (const text of ['top1', '0', 'not defect'])
      expect(resolveTargets(model, data, parseTarget(text))).toMatchObject([{ index: 0 }]);
  });

  it.each(['occlusion', 'lime', 'gradient', 'lrp', 'deep-lift', 'integrated-gradients'])(
    '%s explains either',
    async (name) => {
      const model = await load(ends[end], ['cat', 'dog']);
      const method = methods.get(name);
      const maps = [0, 1].map((target) => explain(model, picture, { method, target }));
      const [cat, dog] = await Promise.all(maps);
      expect(cat.target.label).toBe('cat');
      expect(cat.target.probability).toBeCloseTo(sigmoid(-SCORE), 6);
      expect(cat.map).toBeAllClose(dog.map.data.map((value) => -value));
    },
  );
});

it('without a label, or with probabilities only, has two classes too', async () => {
  const model = await load(ends.softsign);
  expect(model.labels).toEqual(['0', '1']);
  await expect(load(ends.logit, ['a', 'b', 'c'])).rejects.toThrow(/2 classes, but 3 labels/);
});

it('keeps small probabilities of the class for a low score exact', async () => {
  const bright = tensor(
    picture.shape,
    picture.data.map(() => 12),
  );
  const { data } = await (await load(ends.sigmoid)).classify(bright);
  expect(data[0]).toBeAllClose(sigmoid(-12.2), { atol: 0, rtol: 3e-3 });
});
