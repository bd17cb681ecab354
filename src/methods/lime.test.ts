import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { denormalize } from '../model/input/preprocessing.ts';
import { quickshift } from '../superpixels/quickshift.ts';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { HEIGHT, linearNet, linearWeights, picture, WIDTH } from './fixtures/nets.ts';
import {
  haveReference,
  recorded,
  recordedCases,
  recordedInput,
  referenceModel,
} from './fixtures/reference.ts';
import { methods } from './index.ts';
import { limeFit, limeKernel } from './lime.ts';
import { ridge } from './shared/least-squares.ts';

/** Four quarters of the picture. */
const quarters = Array.from({ length: HEIGHT }, (_, y) =>
  Array.from({ length: WIDTH }, (__, x) => 2 * Number(y >= HEIGHT / 2) + Number(x >= WIDTH / 2)),
);

describe('ridge', () => {
  it('finds the plane and the intercept of points on a plane', () => {
    const random = createRandom(2);
    const x = Float64Array.from({ length: 60 }, () => random.normal());
    const y = Float64Array.from(
      { length: 20 },
      (_, r) => 3 + x[3 * r] - 2 * x[3 * r + 1] + 0.5 * x[3 * r + 2],
    );
    const w = Float64Array.from({ length: 20 }, () => random.uniform() + 0.1);
    const { coefficients, intercept, r2, standardErrors } = ridge(x, y, w, 3, 0);
    expect(coefficients).toBeAllClose([1, -2, 0.5], { atol: 5e-10 });
    expect(intercept).toBeCloseTo(3, 9);
    expect(r2).toBeCloseTo(1, 9);
    expect(Math.max(...standardErrors)).toBeLessThan(1e-6);
  });

  it('equals the closed form for one column, for coefficient, intercept and error', () => {
    const x = [0, 1, 2, 3];
    const y = [1, 2, 2, 4];
    const { coefficients, intercept, standardErrors } = ridge(x, y, [1, 1, 1, 1], 1, 2);
    const moment = x.reduce((sum, value, i) => sum + (value - 1.5) * (y[i] - 2.25), 0);
    expect(coefficients[0]).toBeCloseTo(moment / (5 + 2), 12);
    expect(intercept).toBeCloseTo(2.25 - 1.5 * coefficients[0], 12);
    const residual = x.reduce(
      (sum, value, i) => sum + (y[i] - intercept - coefficients[0] * value) ** 2,
      0,
    );
    expect(standardErrors[0]).toBeCloseTo(Math.sqrt(((residual / 2) * 5) / 49), 12);
  });

  it('has standard errors that equal the spread over repeated noise', () => {
    const random = createRandom(5);
    const x = Float64Array.from({ length: 2 * 40 }, () => Number(random.uniform() < 0.5));
    const w = Float64Array.from({ length: 40 }, () => 0.2 + random.uniform());
    const fits = Array.from({ length: 400 }, () =>
      ridge(
        x,
        Float64Array.from({ length: 40 }, (_, r) => x[2 * r] + random.normal()),
        w,
        2,
        1,
      ),
    );
    const mean = fits.reduce((sum, each) => sum + each.coefficients[0], 0) / 400;
    const spread = Math.sqrt(
      fits.reduce((sum, each) => sum + (each.coefficients[0] - mean) ** 2, 0) / 399,
    );
    const claimed = fits.reduce((sum, each) => sum + each.standardErrors[0], 0) / 400;
    expect(claimed / spread).toBeGreaterThan(0.85);
    expect(claimed / spread).toBeLessThan(1.15);
  });
});

describe('limeKernel', () => {
  it('is 1 for the whole picture and falls with the cosine distance', () => {
    const kernel = limeKernel([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 4, 0.25);
    expect([...kernel].map((v) => Math.round(1e6 * v) / 1e6)).toEqual([1, 0.135335, 0.000335]);
  });
});

describe('lime', () => {
  it('gives the superpixel with the largest logit the largest weight', async () => {
    const model = await linearNet();
    const options = { segmentation: quarters, hidden: 'zero', N: 400, alpha: 0 };
    const { map, manifest } = await explain(model, picture, {
      method: methods.get('lime'),
      target: 1,
      options,
    });
    const gains = [0, 0, 0, 0];
    picture.data.forEach((value, i) => {
      const at = i % (HEIGHT * WIDTH);
      gains[quarters[Math.floor(at / WIDTH)][at % WIDTH]] += value * linearWeights.data[3 * i + 1];
    });
    // The score is a probability, which is not linear. So the test compares the order of the gains,
    // not their size.
    const weights = manifest.extras.weights as number[];
    const order = (values: readonly number[]) => [0, 1, 2, 3].sort((a, b) => values[b] - values[a]);
    expect(order(weights)[0]).toBe(order(gains)[0]);
    expect(map.data[0]).toBeCloseTo(weights[0], 6);
    expect(map.data[map.data.length - 1]).toBeCloseTo(weights[3], 6);
    expect(manifest.modelCalls.forward).toBe(400);
  });

  it('names the superpixels with the largest weights, and marks their pixels', async () => {
    const options = { segmentation: quarters, hidden: 'zero', N: 100, top: 1 };
    const { region, manifest } = await explain(await linearNet(), picture, {
      method: methods.get('lime'),
      target: 1,
      options,
    });
    const { top, weights } = manifest.extras as { top: number[]; weights: number[] };
    expect(top).toEqual(Math.max(...weights) > 0 ? [weights.indexOf(Math.max(...weights))] : []);
    expect([...(region?.data ?? [])]).toEqual(
      quarters.flat().map((label) => Number(top.includes(label))),
    );
  });

  it('depends on the seed, not on the batch size, and refuses labels of another size', async () => {
    const model = await linearNet();
    const run = (extra = {}, options = {}) =>
      explain(model, picture, {
        method: 'lime',
        target: 1,
        options: { segmentation: quarters, N: 50, ...options },
        ...extra,
      });
    const base = (await run()).map.data;
    for (const batchSize of [1, 7])
      expect((await run({ batchSize })).map.data).toBeAllClose(base, { atol: 5e-6 });
    expect([...(await run({ seed: 1 })).map.data]).not.toEqual([...base]);
    expect(
      (await run({ onMap: ({ calls }: { calls: number }) => calls >= 20 })).manifest.extras.samples,
    ).toBe(20);
    await expect(run({}, { segmentation: [[0, 1]] })).rejects.toThrow(
      /the labels are 1×2, expected 24×32/,
    );
  });
});

describe.skipIf(!haveReference('lime'))(
  "the recorded run of the authors' code (needs ../shared)",
  () => {
    const cases = recordedCases('lime');
    it.each(cases.map((each) => [each.case, each] as const))(
      '%s: gives the recorded weights, intercept and R² for the recorded samples and scores',
      (_, each) => {
        const [samples, scores, weights] = ['samples', 'scores', 'weights'].map((name) =>
          recorded('lime', each.arrays[name]),
        );
        const { coefficients, intercept, r2 } = limeFit(
          samples.data,
          scores.data,
          samples.shape[1],
          0.25,
          1,
        );
        weights.data.forEach((value, i) =>
          expect(Math.abs(coefficients[i] - value)).toBeLessThan(1e-5),
        );
        const facts = each as unknown as { intercept: number; r2: number; local_pred: number };
        expect(intercept).toBeCloseTo(facts.intercept, 5);
        expect(r2).toBeCloseTo(facts.r2, 5);
        expect(intercept + coefficients.reduce((sum, value) => sum + value, 0)).toBeCloseTo(
          facts.local_pred,
          5,
        );
      },
    );

    it('gives the recorded scores for the recorded samples and hidden picture', async () => {
      const [each] = cases;
      const model = await referenceModel(each.model);
      const input = recordedInput(each);
      const [labels, samples, scores, fudged] = ['segments', 'samples', 'scores', 'fudged'].map(
        (name) => recorded('lime', each.arrays[name]),
      );
      const area = 224 * 224;
      const baseline = tensor(
        input.shape,
        Float32Array.from(
          { length: 3 * area },
          (_, i) => (fudged.data[3 * (i % area) + Math.floor(i / area)] / 255 - 0.5) / 0.5,
        ),
      );
      const bits = tensor([40, samples.shape[1]], samples.data.slice(0, 40 * samples.shape[1]));
      const { data } = await model.perturb({
        input,
        baseline,
        perturbation: { kind: 'segments', labels: Int32Array.from(labels.data), bits },
        targets: [each.target],
      });
      data.forEach((value, n) => expect(Math.abs(value - scores.data[n])).toBeLessThan(2e-3));
    }, 120_000);

    it('divides the picture by quickshift as scikit-image does, except for ties', async () => {
      const [each] = cases;
      const model = await referenceModel(each.model);
      const theirs = recorded('lime', each.arrays.segments).data;
      const ours = quickshift(denormalize(recordedInput(each), model.preprocessing));
      expect(ours.count).toBe(new Set(theirs).size);
      // Each segment of ours is assigned to the segment of theirs with which it shares most pixels.
      const shared = new Map<string, number>();
      ours.labels.forEach((label, i) =>
        shared.set(`${label},${theirs[i]}`, (shared.get(`${label},${theirs[i]}`) ?? 0) + 1),
      );
      const best = new Float64Array(ours.count);
      for (const [pair, pixels] of shared)
        best[Number(pair.split(',')[0])] = Math.max(best[Number(pair.split(',')[0])], pixels);
      expect(best.reduce((sum, pixels) => sum + pixels, 0) / theirs.length).toBeGreaterThan(0.98);
    }, 60_000);
  },
);
