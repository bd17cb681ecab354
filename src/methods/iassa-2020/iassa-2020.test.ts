import { describe, expect, it } from 'vitest';
import { type ExplainOptions, explain, explainAll } from '../../explain.ts';
import { image } from '../../image/image.ts';
import { fakeInside } from '../../model/fixtures/inside.ts';
import { createFunctionModel } from '../../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../../model/input/preprocessing.ts';
import {
  type Model,
  type ModelInside,
  type PerturbRequest,
  requireInside,
} from '../../model/model.ts';
import type { Windows } from '../../model/perturbation.ts';
import { argmax, type Tensor, tensor } from '../../tensor/tensor.ts';
import { adjust, highestActivatedRegion } from '../iassa/region.ts';
import { methods } from '../index.ts';
import type { PartialMap } from '../method.ts';
import { createEvidence, slidingWindowsOverBorder } from './sampling.ts';

const SIDE = 96;
const AREA = SIDE * SIDE;
type Box = readonly [top: number, left: number, bottom: number, right: number];
const LEFT: Box = [30, 12, 50, 32];
const RIGHT: Box = [30, 62, 50, 82];

const inside = ([top, left, bottom, right]: Box, i: number) => {
  const [y, x] = [Math.floor(i / SIDE), i % SIDE];
  return y >= top && y < bottom && x >= left && x < right;
};

/**
 * A model in which the probability of class 0 and 1 grows with the visible share of its box. Class
 * 2 has the rest.
 */
function boxes(): Model {
  const share = (picture: Float32Array, box: Box) => {
    let sum = 0;
    for (let i = 0; i < AREA; i++) if (inside(box, i)) sum += picture[i];
    return (0.45 * sum) / 400;
  };
  return createFunctionModel({
    name: 'boxes',
    labels: ['left', 'right', 'rest'],
    preprocessing: { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] },
    output: 'probabilities',
    classify: async (batch: Tensor) => {
      const rows = Array.from({ length: batch.shape[0] }, (_, n) => {
        const picture = batch.data.subarray(n * 3 * AREA, n * 3 * AREA + AREA);
        const [a, b] = [share(picture, LEFT), share(picture, RIGHT)];
        return [a, b, 1 - a - b];
      });
      return tensor([rows.length, 3], Float32Array.from(rows.flat()));
    },
  });
}

/** The model with feature maps, in which both boxes are equal and differ from the background. */
function withFeatures(model: Model): Model {
  const cells = Float32Array.from({ length: 2 * 24 * 24 }, (_, i) => {
    const cell = i % 576;
    const pixel = (Math.floor(cell / 24) * 4 + 2) * SIDE + (cell % 24) * 4 + 2;
    const object = inside(LEFT, pixel) || inside(RIGHT, pixel);
    return object === i < 576 ? 1 : 0;
  });
  return {
    ...model,
    inside: fakeInside({
      featureMaps: () => [
        {
          name: 'features',
          layout: 'channels-first',
          channels: 2,
          height: 24,
          width: 24,
          prefix: 0,
        },
      ],
      activations: async () => [tensor([1, 2, 24, 24], cells)],
    }),
  };
}

const ones = tensor([1, 3, SIDE, SIDE], new Float32Array(3 * AREA).fill(1));
const small = { window: 24, stride: 6, iterations: 6, windowStep: 2, strideStep: 0.5 };
const run = (
  model: Model,
  options: Record<string, unknown> = {},
  extra: Partial<ExplainOptions> = {},
) =>
  explain(model, ones, {
    method: 'iassa-2020',
    target: 0,
    options: { ...small, ...options },
    ...extra,
  });

/** Records the windows of every call. */
function recording(model: Model): { model: Model; calls: Int32Array[] } {
  const calls: Int32Array[] = [];
  const perturb = (request: PerturbRequest) => {
    calls.push((request.perturbation as Windows).windows);
    return model.perturb(request);
  };
  return { model: { ...model, perturb }, calls };
}

const meanIn = (map: Tensor, box: Box) => {
  const values = [...map.data.keys()].filter((i) => inside(box, i)).map((i) => map.data[i]);
  return values.reduce((a, b) => a + b, 0) / values.length;
};

describe('iassa-2020 on a pure black box', () => {
  it('is highest on the box of the class, and zero where hiding changes nothing', async () => {
    const { map, manifest } = await run(boxes());
    expect(inside(LEFT, argmax(map.data))).toBe(true);
    expect(map.data[AREA - 1]).toBeCloseTo(0, 6);
    expect(meanIn(map, RIGHT)).toBeLessThan(0.2 * meanIn(map, LEFT));
    expect(manifest.extras.attention).toEqual([]);
  });

  // S[p], computed pixel by pixel from the formula of sampledMap.
  const literal = async (score: (p: number) => number) => {
    const model = boxes();
    const ask = async (visible: (y: number, x: number) => boolean) => {
      const picture = Float32Array.from({ length: 3 * AREA }, (_, i) =>
        visible(Math.floor((i % AREA) / SIDE), i % SIDE) ? 1 : 0,
      );
      return score((await model.classify(tensor([1, 3, SIDE, SIDE], picture))).data[0]);
    };
    const [whole, nothing] = [await ask(() => true), await ask(() => false)];
    const sweep = async (
      side: number,
      step: number,
      effect: (inWindow: (y: number, x: number) => boolean) => Promise<number>,
    ) => {
      const [sums, counts] = [new Float64Array(AREA), new Float64Array(AREA)];
      for (let top = step - side; top < SIDE; top += step) {
        for (let left = step - side; left < SIDE; left += step) {
          const inWindow = (y: number, x: number) =>
            y >= top && y < top + side && x >= left && x < left + side;
          const value = ((await effect(inWindow)) * 24 ** 2) / side ** 2;
          for (let i = 0; i < AREA; i++) {
            if (!inWindow(Math.floor(i / SIDE), i % SIDE)) continue;
            sums[i] += value;
            counts[i]++;
          }
        }
      }
      return sums.map((sum, i) => sum / counts[i]);
    };
    const losses = await sweep(
      24,
      6,
      async (inWindow) => whole - (await ask((y, x) => !inWindow(y, x))),
    );
    const gains = await sweep(34, 8, async (inWindow) => (await ask(inWindow)) - nothing);
    return losses.map((loss, i) => loss + gains[i]);
  };

  it.each([
    ['log-probability', (p: number) => Math.log(p + 0.001)],
    ['probability', (p: number) => p],
  ])(
    'equals the mean effect of the shown and hidden windows that cover a pixel, for the score %s',
    async (score, scale) => {
      const expected = await literal(scale);
      const { map } = await run(boxes(), { iterations: 0, score });
      for (let i = 0; i < AREA; i++) expect(Math.abs(map.data[i] - expected[i])).toBeLessThan(1e-5);
    },
  );

  it('refuses logits if the model has none', async () => {
    await expect(run(boxes(), { score: 'logit' })).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('shrinks the region above half of the range with further iterations', async () => {
    const size = async (iterations: number) =>
      highestActivatedRegion(
        (await run(boxes(), { iterations, tolerance: 0 })).map.data,
        0.5,
      ).reduce((a, b) => a + b, 0);
    const [first, last] = [await size(0), await size(8)];
    expect(last).toBeLessThan(first);
    expect(last).toBeGreaterThan(200);
  });

  it('uses windows only where the map of the previous iteration was high', async () => {
    const { model, calls } = recording(boxes());
    const maps: Tensor[] = [];
    await run(model, { tolerance: 0 }, { onMap: (p: PartialMap) => void maps.push(p.map) });
    const [shown, ...hidden] = calls;
    expect(hidden).toHaveLength(7);
    // The shown windows are 1.4 times as large as 24 and 6.
    expect([...shown].slice(4)).toEqual([...slidingWindowsOverBorder(SIDE, SIDE, 34, 8)]);
    expect([...hidden[0]].slice(4)).toEqual([...slidingWindowsOverBorder(SIDE, SIDE, 24, 6)]);
    for (let n = 1; n < hidden.length; n++) {
      const region = highestActivatedRegion(maps[n - 1].data, 0.3);
      for (let w = 0; w < hidden[n].length; w += 4) {
        const [t, l, b, r] = hidden[n].subarray(w, w + 4);
        let hit = false;
        for (let y = t; y < b && !hit; y++)
          for (let x = l; x < r && !hit; x++) hit = region[y * SIDE + x] === 1;
        expect(hit).toBe(true);
      }
      const { window, stride } = {
        window: Math.floor(24 - 2 * n),
        stride: Math.floor(6 - 0.5 * n),
      };
      expect(hidden[n].length).toBeLessThan(
        0.6 * slidingWindowsOverBorder(SIDE, SIDE, window, stride).length,
      );
    }
  });

  it('offers the map of every iteration, and returns the last one', async () => {
    const seen: PartialMap[] = [];
    const { map, manifest } = await run(
      boxes(),
      { tolerance: 0 },
      { onMap: (p: PartialMap) => void seen.push(p) },
    );
    expect(seen.map((p) => p.detail.iteration)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect([...seen[6].map.data]).toEqual([...map.data]);
    expect(seen[6].calls).toBe(manifest.modelCalls.forward);
    // No map is overwritten by a later one.
    expect(new Set(seen.map((p) => p.map.data.join())).size).toBe(7);
  });

  it('stops when the map no longer changes, and reports the reason', async () => {
    const { manifest } = await run(boxes(), { iterations: 20, tolerance: 0.02 });
    expect(manifest.extras.stopped).toBe('converged');
    expect((manifest.extras.iterations as unknown[]).length).toBeLessThan(21);
    const content = await run(
      boxes(),
      { tolerance: 0 },
      { onMap: (p: PartialMap) => p.detail.iteration === 2 },
    );
    expect(content.manifest.extras.stopped).toBe('content');
    expect(content.manifest.extras.iterations).toHaveLength(3);
    const shrunk = await run(boxes(), {
      window: 6,
      windowStep: 3,
      stride: 2,
      iterations: 25,
      tolerance: 0,
    });
    expect(shrunk.manifest.extras.stopped).toBe('window');
  });

  it('keeps the evidence of earlier iterations', () => {
    const evidence = createEvidence(4, 4);
    evidence.add(Int32Array.of(0, 0, 4, 4, 0, 0, 2, 2), [1, 3]);
    evidence.add(Int32Array.of(0, 0, 1, 1), [8]);
    const map = evidence.map();
    expect([map[0], map[1], map[5], map[15]]).toEqual([4, 2, 2, 1]);
  });

  it('divides each pixel by its own coverage, so equal scores give a flat map', () => {
    const windows = slidingWindowsOverBorder(SIDE, SIDE, 45, 8);
    const evidence = createEvidence(SIDE, SIDE);
    evidence.add(windows, new Float64Array(windows.length / 4).fill(0.25));
    for (const value of evidence.map()) expect(value).toBeCloseTo(0.25, 12);
  });

  it('gives the same map for every batch size and seed', async () => {
    const base = (await run(boxes(), {}, { batchSize: 64 })).map.data;
    for (const extra of [{ batchSize: 1 }, { batchSize: 7 }, { seed: 5 }])
      expect((await run(boxes(), {}, extra)).map.data).toBeAllClose(base, { atol: 5e-7 });
  });

  it('shares the first sweep between classes', async () => {
    const both = await explainAll(boxes(), ones, {
      method: 'iassa-2020',
      target: 'top:2',
      options: { ...small, iterations: 0 },
    });
    const windows = [
      slidingWindowsOverBorder(SIDE, SIDE, 24, 6),
      slidingWindowsOverBorder(SIDE, SIDE, 34, 8),
    ];
    expect(both[0].manifest.modelCalls.forward).toBe(
      windows[0].length / 4 + windows[1].length / 4 + 2,
    );
    for (const { map, target } of both)
      expect(inside(target.index === 0 ? LEFT : RIGHT, argmax(map.data))).toBe(true);
  });
});

describe('iassa-2020 with attention', () => {
  it('raises the map where features are similar, by the plus sign of eq. 6', async () => {
    const plain = await run(boxes());
    const attended = await run(withFeatures(boxes()), { temperature: 0.1 });
    expect(attended.manifest.extras.attention).toEqual(['features']);
    const lift = (e: typeof plain) => meanIn(e.map, RIGHT) / meanIn(e.map, LEFT);
    expect(lift(attended)).toBeGreaterThan(lift(plain) + 0.2);
    expect(inside(LEFT, argmax(attended.map.data))).toBe(true);
  });

  it('computes the attention once per picture, not once per iteration', async () => {
    let forwards = 0;
    const base = withFeatures(boxes());
    const inside = requireInside(base);
    const activations: ModelInside['activations'] = (names, batch) => {
      forwards++;
      return inside.activations(names, batch);
    };
    const model: Model = { ...base, inside: { ...inside, activations } };
    await run(model, { tolerance: 0 });
    expect(forwards).toBe(1);
  });

  it('is off for features "none" and for beta 1', async () => {
    const off = await run(withFeatures(boxes()), { features: 'none' });
    expect([...off.map.data]).toEqual([...(await run(boxes())).map.data]);
    expect((await run(withFeatures(boxes()), { beta: 1 })).manifest.extras.attention).toEqual([]);
  });

  it('uses the features of another model, and disposes of that model', async () => {
    let disposed = 0;
    const other: Model = { ...withFeatures(boxes()), dispose: async () => void disposed++ };
    const options = {
      method: methods.get('iassa-2020'),
      target: 0,
      options: { ...small, features: 'other.onnx' },
    };
    const names: string[] = [];
    const loadModel = async (name: string) => {
      names.push(name);
      return other;
    };
    const picture = image(SIDE, SIDE, new Uint8Array(3 * AREA).fill(255));
    const { manifest } = await explain(boxes(), picture, { ...options, loadModel });
    expect([names, disposed, manifest.extras.attention]).toEqual([['other.onnx'], 1, ['features']]);
    await expect(explain(boxes(), picture, options)).rejects.toThrow(
      /iassa-2020 needs the model "other.onnx"/,
    );
    await expect(explain(boxes(), ones, { ...options, loadModel })).rejects.toThrow(
      /needs the picture itself/,
    );
  });

  it('names the feature maps of the model in the error for an unknown one', async () => {
    await expect(run(withFeatures(boxes()), { layers: ['nope'] })).rejects.toThrow(
      /"nope" is not a feature map of boxes: expected some of features/,
    );
  });
});

describe('adjust', () => {
  it('equals beta S + (1 - beta) A S, with A S stretched to the range of S about its mean', () => {
    const sampled = tensor([1, 3], Float32Array.of(0, 1, 2));
    const attended = tensor([1, 3], Float32Array.of(0.5, 0.5, 0.8));
    const half = adjust(sampled, attended, 0.5).data;
    // A S stretched 20/3 times about 0.6 -> 1: 1/3, 1/3, 7/3
    expect(half).toBeAllClose([1 / 6, 2 / 3, 13 / 6], { atol: 5e-7 });
    expect(half.reduce((a, b) => a + b, 0)).toBeCloseTo(3, 5); // no evidence is made
    expect([...adjust(sampled, tensor([1, 3], new Float32Array(3).fill(9)), 0.5).data]).toEqual([
      0.5, 1, 1.5,
    ]);
  });
});
