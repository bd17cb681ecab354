import { describe, expect, it } from 'vitest';
import { FEW } from '../../test/contracts/few-options.ts';
import { createScene } from '../demo/scenes.ts';
import { loadSprites } from '../demo/sprites.ts';
import { explain, loadModel, methods, prepareInput } from '../node.ts';
import { tensor } from '../tensor/tensor.ts';
import { contrastModel } from './contrast.ts';
import { createFunctionModel } from './function-model.ts';
import { IMAGENET_PREPROCESSING } from './input/preprocessing.ts';

/** Class j scores the weighted sum of the pixels of one channel, j + 1 times. */
const linear = createFunctionModel({
  name: 'linear',
  labels: ['one', 'two', 'three'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [2, 2] },
  output: 'probabilities',
  classify: async ({ shape: [n = 0], data }) =>
    tensor(
      [n, 3],
      Float32Array.from({ length: 3 * n }, (_, i) => {
        const pixels = data.subarray(12 * Math.floor(i / 3), 12 * Math.floor(i / 3) + 4);
        return ((i % 3) + 1) * pixels.reduce((sum, x, k) => sum + (k + 1) * x, 0);
      }),
    ),
});

const scene = createScene(await loadSprites(), 6, { className: 'teapot' });

describe('contrastModel', () => {
  it('scores a contrast as the score of the class minus the mean score of the others', async () => {
    const model = contrastModel(linear, [
      { index: 2, against: [0] },
      { index: 0, against: [1, 2] },
    ]);
    expect(model.labels).toEqual([
      'one',
      'two',
      'three',
      'three, not one',
      'one, not two or three',
    ]);
    const ones = tensor([1, 3, 2, 2], new Float32Array(12).fill(1));
    const { shape, data } = await model.classify(ones);
    expect(shape).toEqual([1, 5]);
    expect(data).toBeAllClose([10, 20, 30, 20, -15], { atol: 1e-5 });
  });

  it('scores perturbed pictures in the order of the targets', async () => {
    const model = contrastModel(linear, [{ index: 2, against: [0] }]);
    const scores = await model.perturb({
      input: tensor([1, 3, 2, 2], new Float32Array(12).fill(1)),
      baseline: tensor([1, 3, 1, 1]),
      // Each window hides one pixel.
      perturbation: {
        kind: 'windows',
        windows: Int32Array.from([0, 0, 1, 1, 1, 1, 2, 2]),
        keep: 'outside',
      },
      targets: [3, 1],
    });
    // Without pixel 1: 9 per class; without pixel 4: 6.
    expect(scores.data).toBeAllClose([18, 18, 12, 12], { atol: 1e-5 });
  });

  it('refuses a class that does not exist, and a contrast with itself', () => {
    expect(() => contrastModel(linear, [{ index: 3, against: [0] }])).toThrow(/expected 0 to 2/);
    expect(() => contrastModel(linear, [{ index: 1, against: [1] }])).toThrow(/with itself/);
  });
});

describe('a target with against', () => {
  const [a, b] = [3, 7];
  const few: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    'integrated-gradients': { steps: 4 },
    rise: { N: 64 },
    occlusion: { window: 64, stride: 32 },
    iia: { steps: 2 },
  };

  // These methods are linear in the score: the map of a difference is the difference of the maps.
  it.each(['gradient', 'integrated-gradients', 'rise', 'occlusion', 'hires-cam'])(
    '%s explains a difference of scores by the difference of the maps',
    async (method) => {
      const model = await loadModel('demo-cnn');
      const input = await prepareInput(model, scene.image);
      // Both reduce over channels by a sum, and nothing is clipped, so that maps can be subtracted.
      const signed = method.includes('gradient') ? { reduce: 'sum' } : {};
      const options = { ...few[method], ...signed, ...(method === 'hires-cam' && { relu: false }) };
      const mapOf = async (target: object | number) => {
        const request = { method, options, target, seed: 1 };
        return (await explain(model, input, request as never)).map.data;
      };
      const contrast = await mapOf({ class: a, against: b });
      const [first, second] = [await mapOf(a), await mapOf(b)];
      const difference = first.map((value, i) => value - (second[i] ?? Number.NaN));
      const range = Math.max(...difference.map(Math.abs));
      expect(range).toBeGreaterThan(0);
      expect(contrast).toBeAllClose(difference, { atol: 1e-4 * range });
      await model.dispose();
    },
    60_000,
  );

  it('is in the manifest, with the classes that top:N means', async () => {
    const model = await loadModel('demo-cnn');
    const input = await prepareInput(model, scene.image);
    const { target, manifest } = await explain(model, input, {
      method: 'grad-cam',
      target: { against: 'top:2' },
    });
    const order = [...input.probabilities.keys()].sort(
      (i, j) => (input.probabilities[j] ?? 0) - (input.probabilities[i] ?? 0),
    );
    expect(target.index).toBe(order[0]);
    expect(target.against?.map(({ index }) => index)).toEqual(order.slice(1, 3));
    expect(manifest.target).toEqual(target);
    await expect(
      explain(model, input, { target: { class: 'teapot', against: 'teapot' } }),
    ).rejects.toThrow('"teapot" is to be explained against itself: expected another class');
    await model.dispose();
  }, 60_000);

  it('is the target of the maps on the way', async () => {
    const model = await loadModel('demo-cnn');
    const input = await prepareInput(model, scene.image);
    const offered: unknown[] = [];
    const { target } = await explain(model, input, {
      method: 'rise',
      options: { N: 64 },
      target: { class: a, against: b },
      onMap: (partial) => void offered.push(partial.target),
    });
    expect(offered.length).toBeGreaterThan(0);
    expect(offered).toEqual(offered.map(() => target));
    expect(target).toMatchObject({ index: a, against: [{ index: b }] });
    await model.dispose();
  }, 60_000);

  it('works with every method that runs on the model', async () => {
    const model = await loadModel('demo-cnn');
    const input = await prepareInput(model, scene.image);
    const ran: string[] = [];
    for (const name of methods.names) {
      const method = methods.get(name);
      if (method.needs.includes('attention')) continue;
      const request = { method, options: FEW[method.name], target: { against: 'top:1' } };
      const { map, target } = await explain(model, input, request as never);
      expect(map.data.every(Number.isFinite), method.name).toBe(true);
      expect(target.against, method.name).toHaveLength(1);
      ran.push(method.name);
    }
    expect(ran.length).toBeGreaterThan(30);
    await model.dispose();
  }, 240_000);
});
