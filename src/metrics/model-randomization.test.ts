import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { convNet, picture } from '../methods/fixtures/nets.ts';
import { methods } from '../methods/index.ts';
import { fakeInside } from '../model/fixtures/inside.ts';
import type { Model } from '../model/model.ts';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { regionModel } from './fixtures/region-model.ts';
import type { ExplainChanges, MetricContext } from './metric.ts';
import { modelRandomization } from './model-randomization.ts';

const [H, W] = [8, 6];
const random = createRandom(1);
const randomMap = () =>
  tensor(
    [H, W],
    Float32Array.from({ length: H * W }, () => random.normal()),
  );
const map = randomMap();

/**
 * A model with seven layers. It records which layers were randomized, and counts the copies that
 * are not disposed of.
 */
function layered() {
  const asked: string[][] = [];
  let open = 0;
  const plain = regionModel(H, W, new Uint8Array(H * W).fill(1));
  const model: Model = {
    ...plain,
    inside: fakeInside({
      weightLayers: async () => ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
      randomized: async (layers) => {
        asked.push([...layers]);
        open++;
        return { ...plain, dispose: async () => void open-- };
      },
    }),
  };
  return { model, asked, open: () => open };
}

describe('model randomisation', () => {
  const context = { input: tensor([1, 1, H, W]), target: { index: 0 }, map };

  it('randomizes layers from the top, one by one, and disposes of every copy', async () => {
    const { model, asked, open } = layered();
    const { value, curve, preset } = await modelRandomization.score({
      ...context,
      model,
      explain: async () => map,
    });
    expect(asked.map((layers) => layers.join(''))).toEqual([
      'g',
      'fg',
      'efg',
      'defg',
      'cdefg',
      'bcdefg',
      'abcdefg',
    ]);
    expect(value).toBeCloseTo(1, 12);
    expect(curve?.x.map((x) => Math.round(7 * x))).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(preset).toBe('adebayo-2018');
    expect(open()).toBe(0);
    await expect(
      modelRandomization.score({
        ...context,
        model,
        explain: () => Promise.reject(new Error('no')),
      }),
    ).rejects.toThrow('no');
    expect(open()).toBe(0);
  });

  it('takes the given number of steps, and randomizes all layers in the last step', async () => {
    const { model, asked } = layered();
    await modelRandomization.score({
      ...context,
      model,
      explain: async () => map,
      options: { steps: 3 },
    });
    expect(asked.map((layers) => layers.length)).toEqual([2, 5, 7]);
  });

  it('is about 0 for unrelated maps, and 0 for constant maps', async () => {
    const { model } = layered();
    const { value } = await modelRandomization.score({
      ...context,
      model,
      explain: async () => randomMap(),
    });
    expect(Math.abs(value as number)).toBeLessThan(0.15);
    expect(
      (await modelRandomization.score({ ...context, model, explain: async () => tensor([H, W]) }))
        .value,
    ).toBe(0);
  });

  it('needs a model with known weights', async () => {
    const model = regionModel(H, W, new Uint8Array(H * W).fill(1));
    await expect(
      modelRandomization.score({ ...context, model, explain: async () => map }),
    ).rejects.toThrow('the weights of region (function) are not known');
  });
});

describe('model randomisation of a network', () => {
  let model: Model;
  beforeAll(async () => {
    model = await convNet('linear');
  });
  afterAll(() => model?.dispose());

  async function scoreOf(method: string, preset?: string) {
    const again = async ({ model: other = model }: ExplainChanges): Promise<Tensor> =>
      (await explain(other, picture, { method: methods.get(method), target: 1 })).map;
    const context: MetricContext = {
      model,
      input: picture,
      target: { index: 1 },
      map: await again({}),
      explain: again,
      preset,
    };
    return modelRandomization.score(context);
  }

  it('separates a method that depends on the model from one that does not', async () => {
    expect((await scoreOf('random')).value).toBeCloseTo(1, 6);
    const { value, curve } = await scoreOf('gradient', 'adebayo-2018-absolute');
    expect(curve?.x).toHaveLength(3); // two convolutions and the head
    expect(value).toBeLessThan(0.9);
    expect(curve?.y.at(-1)).toBeLessThan(0.6);
  });

  it('depends only on the seed', async () => {
    expect(await scoreOf('gradient')).toEqual(await scoreOf('gradient'));
  });
});
