import { describe, expect, it } from 'vitest';
import { type ExplainOptions, explain, explainAll } from '../../explain.ts';
import { fakeInside } from '../../model/fixtures/inside.ts';
import { createFunctionModel } from '../../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../../model/input/preprocessing.ts';
import type { Model } from '../../model/model.ts';
import { argmax, type Tensor, tensor } from '../../tensor/tensor.ts';
import type { PartialMap } from '../method.ts';

const SIDE = 56;
const AREA = SIDE * SIDE;
type Box = readonly [top: number, left: number, bottom: number, right: number];
const LEFT: Box = [16, 6, 30, 20];
const RIGHT: Box = [16, 36, 30, 50];

const inside = ([top, left, bottom, right]: Box, i: number) => {
  const [y, x] = [Math.floor(i / SIDE), i % SIDE];
  return y >= top && y < bottom && x >= left && x < right;
};
const BOX_AREA = [...Array(AREA).keys()].filter((i) => inside(LEFT, i)).length;

/** A model of two classes. The probability of class 0 is a function of the visible picture. */
function modelOf(probability: (picture: Float32Array) => number): Model {
  return createFunctionModel({
    name: 'formula',
    labels: ['yes', 'no'],
    preprocessing: { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] },
    output: 'probabilities',
    classify: async (batch: Tensor) => {
      const rows = Array.from({ length: batch.shape[0] }, (_, n) => {
        const p = probability(batch.data.subarray(n * 3 * AREA, n * 3 * AREA + AREA));
        return [p, 1 - p];
      });
      return tensor([rows.length, 2], Float32Array.from(rows.flat()));
    },
  });
}

/** The visible share of a box, 0 … 1. */
function shareOf(picture: Float32Array, box: Box): number {
  let sum = 0;
  for (let i = 0; i < AREA; i++) if (inside(box, i)) sum += picture[i];
  return sum / BOX_AREA;
}

const ones = tensor([1, 3, SIDE, SIDE], new Float32Array(3 * AREA).fill(1));
const run = (
  model: Model,
  options: Record<string, unknown> = {},
  extra: Partial<ExplainOptions> = {},
) => explain(model, ones, { method: 'iassa', target: 0, options, ...extra });

const meanIn = (map: Tensor, box: Box) => {
  const values = [...map.data.keys()].filter((i) => inside(box, i)).map((i) => map.data[i]);
  return values.reduce((a, b) => a + b, 0) / values.length;
};

const onlyLeft = () => modelOf((picture) => 0.1 + 0.8 * shareOf(picture, LEFT));
const both = () =>
  modelOf((picture) => 0.05 + 0.9 * shareOf(picture, LEFT) * shareOf(picture, RIGHT));
const either = () =>
  modelOf((picture) => 0.05 + 0.9 * Math.max(shareOf(picture, LEFT), shareOf(picture, RIGHT)));

describe('iassa', () => {
  it('finds the weights of an additive model', async () => {
    // Effect of a pixel at (y, x) on the probability: smooth, positive on the left, negative on
    // the right. The value of the map is the effect of a window of side 45/224 around the pixel.
    const weight = (i: number) => {
      const hill = (cx: number) =>
        Math.exp(-((Math.floor(i / SIDE) - 28) ** 2 + ((i % SIDE) - cx) ** 2) / 200);
      return (0.4 * (hill(14) - 0.5 * hill(42))) / 628;
    };
    const weights = Float64Array.from({ length: AREA }, (_, i) => weight(i));
    const model = modelOf(
      (picture) => 0.3 + weights.reduce((sum, value, i) => sum + value * picture[i], 0),
    );
    const { map, standardError } = await run(model, { score: 'probability', calls: 300 });
    const unit = (45 / 4) ** 2;
    const expected = weights.map((value) => unit * value);
    const range = Math.max(...expected) - Math.min(...expected);
    expect(map.data).toBeAllClose(expected, { rtol: 0, atol: 0.03 * range });
    expect(Math.max(...(standardError?.data ?? [1]))).toBeLessThan(0.05 * range);
  });

  it('finds both parts that a class needs together', async () => {
    const { map } = await run(both(), { calls: 300 });
    const [left, right] = [meanIn(map, LEFT), meanIn(map, RIGHT)];
    expect(left / right).toBeCloseTo(1, 0);
    expect(meanIn(map, [40, 0, 56, 56])).toBeLessThan(0.1 * left);
  });

  it('finds two objects of which one is enough', async () => {
    const { map } = await run(either(), { calls: 300 });
    const outside = meanIn(map, [40, 0, 56, 56]);
    expect(meanIn(map, LEFT)).toBeGreaterThan(5 * Math.abs(outside));
    expect(meanIn(map, RIGHT)).toBeGreaterThan(5 * Math.abs(outside));
  });

  it('is exactly 0 for a model that ignores the picture', async () => {
    const { map, standardError } = await run(
      modelOf(() => 0.3),
      { calls: 40 },
    );
    expect(map.data.every((value) => value === 0)).toBe(true);
    expect(standardError?.data.every((value) => value === 0)).toBe(true);
  });

  it.each([16, 50, 130, 300])(
    'makes exactly %d calls, and is highest on the object',
    async (calls) => {
      const { map, manifest } = await run(onlyLeft(), { calls });
      expect(manifest.modelCalls.forward).toBe(calls);
      expect(inside(LEFT, argmax(map.data))).toBe(true);
    },
  );

  it('becomes surer with more calls, and stops when it is sure enough', async () => {
    const offered: PartialMap[] = [];
    const onMap = (partial: PartialMap) => {
      offered.push(partial);
    };
    const { manifest, map } = await run(onlyLeft(), { calls: 500 }, { onMap });
    const errors = offered.map(({ detail }) => Number(detail.relativeError));
    expect(errors.at(-1)).toBeLessThan(0.7 * errors[0]);
    expect(offered.at(-1)?.map).toEqual(map);
    expect(manifest.extras.stopped).toBe('calls');
    const sooner = await run(onlyLeft(), { calls: 500, tolerance: 1.01 * (errors[1] ?? 0) });
    expect(sooner.manifest.extras.stopped).toBe('converged');
    expect(sooner.manifest.modelCalls.forward).toBe(offered[1]?.calls);
  });

  it('ends when the caller accepts a map', async () => {
    const { manifest } = await run(onlyLeft(), {}, { onMap: () => true });
    expect(manifest.extras.stopped).toBe('content');
    expect(manifest.modelCalls.forward).toBeLessThan(150);
  });

  it('returns the map that the caller accepts for a class, and goes on for the others', async () => {
    const accepted: Tensor[] = [];
    const onMap = ({ target, map }: PartialMap) => {
      if (target.index === 1) accepted.push(map);
      return target.index === 1;
    };
    const options = { calls: 200 };
    const request = { method: 'iassa', target: 'top:2', options, onMap } as const;
    const both = await explainAll(onlyLeft(), ones, request);
    const [yes, no] = [0, 1].map((index) => both.find(({ target }) => target.index === index));
    expect(accepted).toHaveLength(1);
    expect(no?.map).toEqual(accepted[0]);
    expect(no?.manifest.extras.stopped).toBe('content');
    expect(yes?.manifest.extras.stopped).toBe('calls');
  });

  it('gives the same map for every batch size, and another one for another seed', async () => {
    const [one, seven, other] = await Promise.all([
      run(onlyLeft(), { calls: 150 }, { batchSize: 1 }),
      run(onlyLeft(), { calls: 150 }, { batchSize: 7 }),
      run(onlyLeft(), { calls: 150 }, { seed: 1 }),
    ]);
    expect(seven.map).toEqual(one.map);
    expect(other.map).not.toEqual(one.map);
  });

  it('shares all calls between classes', async () => {
    const maps = await explainAll(onlyLeft(), ones, {
      method: 'iassa',
      target: 'top:2',
      options: { calls: 200, score: 'probability' },
    });
    expect(maps.map(({ manifest }) => manifest.modelCalls.forward)).toEqual([200, 200]);
    // p(no) = 1 - p(yes), so one map is the negative of the other.
    const [yes, no] = maps;
    expect(no?.map.data).toBeAllClose(yes?.map.data.map((value) => -value) ?? [], {
      rtol: 0,
      atol: 1e-4,
    });
  });

  it('refuses logits if the model has none', async () => {
    await expect(run(onlyLeft(), { score: 'logit' })).rejects.toMatchObject({
      code: 'unsupported',
    });
  });
});

/** A model with feature maps of two channels: whether a cell belongs to the boxes, or not. */
function withFeatures(model: Model, boxes: readonly Box[]): Model {
  const cells = Float32Array.from({ length: 2 * 14 * 14 }, (_, i) => {
    const cell = i % 196;
    const pixel = (Math.floor(cell / 14) * 4 + 2) * SIDE + (cell % 14) * 4 + 2;
    return boxes.some((box) => inside(box, pixel)) === i < 196 ? 1 : 0;
  });
  const layout = 'channels-first' as const;
  const map = { name: 'features', layout, channels: 2, height: 14, width: 14, prefix: 0 };
  return {
    ...model,
    inside: fakeInside({
      featureMaps: () => [map],
      activations: async () => [tensor([1, 2, 14, 14], cells)],
    }),
  };
}

const betaOf = (extras: { readonly [key: string]: unknown }) =>
  Number((extras.rounds as { beta: number }[]).at(-1)?.beta);

describe('the attention of iassa', () => {
  /** The part of the score that no map explains is as good as random. */
  const noisy = modelOf((picture) => {
    const visible = picture.reduce((sum, value) => sum + value, 0);
    return 0.15 + 0.7 * shareOf(picture, LEFT) + 0.1 * Math.sin(977 * visible);
  });

  it('is used if it foretells the scores of other masks', async () => {
    const options = { calls: 150, score: 'probability' };
    const { manifest, map } = await run(withFeatures(noisy, [LEFT]), options);
    expect(betaOf(manifest.extras)).toBeLessThan(1);
    expect(manifest.extras.attention).toEqual(['features']);
    const plain = await run(noisy, options);
    // The features show where the object ends, so the map falls faster at its border.
    const fall = ({ data }: Tensor) => (data[23 * SIDE + 16] ?? 0) - (data[23 * SIDE + 24] ?? 0);
    expect(fall(map)).toBeGreaterThan(fall(plain.map));
  });

  it('switches itself off if it would mix the object with half of the picture', async () => {
    const { manifest, map } = await run(withFeatures(onlyLeft(), [[0, 0, 32, SIDE]]), {
      calls: 200,
    });
    expect(betaOf(manifest.extras)).toBe(1);
    // One of the calls reads the features.
    const plain = await run(onlyLeft(), { calls: 199 });
    expect(map).toEqual(plain.map);
  });

  it('is off for features "none"', async () => {
    const { manifest } = await run(withFeatures(noisy, [LEFT]), { calls: 60, features: 'none' });
    expect(manifest.extras.attention).toEqual([]);
  });
});
