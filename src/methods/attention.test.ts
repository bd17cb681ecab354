import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import type { Model } from '../model/model.ts';
import { tensor } from '../tensor/tensor.ts';
import {
  haveReference,
  REFERENCE_VIT,
  recorded,
  recordedCases,
  recordedInput,
  referenceModel,
  relativeError,
} from './fixtures/reference.ts';
import { noisePictures, smallNetwork } from './fixtures/vit.ts';
import {
  type Attention,
  addOverHeads,
  attentionOf,
  positiveProduct,
  rolloutRow,
} from './shared/attention.ts';
import { gradientsOf, repeat } from './shared/gradients.ts';

const input = noisePictures(1, 32);
const TOKENS = 17;

/** Row-by-row products of whole matrices: slow, and as the formulas stand. */
const times = (a: number[][], b: number[][]): number[][] =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
const identity = (): number[][] =>
  Array.from({ length: TOKENS }, (_, i) =>
    Array.from({ length: TOKENS }, (__, j) => (i === j ? 1 : 0)),
  );
const plus = (a: number[][], b: number[][]): number[][] =>
  a.map((row, i) => row.map((value, j) => value + b[i][j]));

async function insides(model: Model, target: number) {
  const names = (model.inside?.attentionMaps() ?? []).map((map) => map.name);
  const { values, gradients } = await gradientsOf(model, {
    batch: input,
    wrt: names,
    targets: [target],
  });
  const matrices = (f: (a: number, g: number) => number) =>
    names.map((_, l) =>
      Array.from({ length: TOKENS }, (__, i) =>
        Array.from({ length: TOKENS }, (___, j) => {
          const heads = [0, 1].map((h) => (h * TOKENS + i) * TOKENS + j);
          return (
            heads.reduce((sum, at) => sum + f(values[l].data[at], gradients[l].data[at]), 0) / 2
          );
        }),
      ),
    );
  return matrices;
}

const rows = async (model: Model, method: string, options = {}) => {
  const { layers = [], manifest } = await explain(model, input, { method, target: 2, options });
  return { map: layers[0].map, manifest };
};
const close = (a: ArrayLike<number>, b: ArrayLike<number>): void => {
  expect(relativeError(a, b)).toBeLessThan(1e-4);
};

describe('methods that look at attention', () => {
  it('attention-rollout is the class row of the product of (A + I) / 2, whose rows sum to one', async () => {
    const model = await smallNetwork('vit');
    const matrices = (await insides(model, 2))((a) => a).map((a) =>
      plus(a, identity()).map((row) => row.map((value) => value / 2)),
    );
    const product = times(matrices[1], matrices[0]);
    for (const row of product) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 4);
    const { map, manifest } = await rows(model, 'attention-rollout');
    close(map.data, product[0].slice(1));
    expect(manifest.modelCalls).toEqual({ forward: 1, backward: 0 });
    expect(map.shape).toEqual([4, 4]);
    close(
      (await rows(model, 'attention-rollout', { firstBlock: 1 })).map.data,
      matrices[1][0].slice(1),
    );
    await expect(rows(model, 'attention-rollout', { firstBlock: 2 })).rejects.toThrow(
      'attention-rollout.firstBlock = 2: expected 0 to 1',
    );
  });

  it('gae carries relevance through the blocks without normalising it', async () => {
    const model = await smallNetwork('vit');
    let relevance = identity();
    for (const matrix of (await insides(model, 2))((a, g) => Math.max(0, a * g)))
      relevance = plus(relevance, times(matrix, relevance));
    close((await rows(model, 'gae')).map.data, relevance[0].slice(1));
  });

  it('attention-gradient is the class row of attention times gradient in one block', async () => {
    const model = await smallNetwork('vit');
    const products = await insides(model, 2);
    const helping = products((a, g) => a * Math.max(0, g));
    close((await rows(model, 'attention-gradient', { block: 0 })).map.data, helping[0][0].slice(1));
    close((await rows(model, 'attention-gradient')).map.data, helping[1][0].slice(1));
    close(
      (await rows(model, 'attention-gradient', { relu: false })).map.data,
      products((a, g) => a * g)[1][0].slice(1),
    );
    const { layers } = await explain(model, input, {
      method: 'attention-gradient',
      options: { block: 0 },
    });
    expect(layers?.[0].layer).toBe(model.inside?.attentionMaps()[0].name);
    await expect(rows(model, 'attention-gradient', { block: 2 })).rejects.toThrow(
      'attention-gradient.block = 2: expected -2 to 1',
    );
  });

  it('say what they need of a network that has no such attention', async () => {
    const [cnn, swin] = await Promise.all([smallNetwork('mobilenet-v2'), smallNetwork('swin')]);
    for (const method of ['attention-rollout', 'gae', 't-attr', 'attention-gradient']) {
      await expect(rows(cnn, method)).rejects.toThrow(
        /needs attention maps in which all tokens attend to all, and mobilenet-v2 has none/,
      );
      await expect(rows(swin, method)).rejects.toThrow(/swin attends within windows/);
    }
  });
});

describe('iia of a transformer', () => {
  it('with no path is the gradient rollout of the picture itself', async () => {
    const model = await smallNetwork('vit');
    const matrices = (await insides(model, 2))((a, g) => Math.max(0, a * g)).map((matrix) =>
      plus(matrix, identity()).map((row) => {
        const sum = row.reduce((a, b) => a + b);
        return row.map((value) => value / sum);
      }),
    );
    const expected = times(matrices[1], matrices[0])[0].slice(1);
    close(
      (await rows(model, 't-attr', { relevance: 'attention', firstBlock: 0 })).map.data,
      expected,
    );
  });

  it('with one step of the attention is the rollout of the mean of the points 0 and 1, where the last attention is nothing and itself', async () => {
    const model = await smallNetwork('vit');
    const names = (model.inside?.attentionMaps() ?? []).map((map) => map.name);
    const { values } = await gradientsOf(model, { batch: input, wrt: names, targets: [2] });
    const path = tensor(
      [2, ...values[1].shape.slice(1)],
      Float32Array.from([...values[1].data.map(() => 0), ...values[1].data]),
    );
    const both = await gradientsOf(model, {
      batch: repeat(input, 2),
      wrt: names,
      targets: [2],
      replace: { [names[1]]: path },
    });
    const means = names.map((_, l) => {
      const sum = new Float64Array(TOKENS ** 2);
      addOverHeads(sum, [both.gradients[l], both.values[l]], positiveProduct);
      return sum.map((value) => value / (2 * 2)); // points, heads
    });
    const { map, manifest } = await rows(model, 'iia', { steps: 1, paths: 'activations' });
    close(map.data, rolloutRow(attentionOf(model, input) as Attention, means, true).subarray(1));
    expect(manifest.modelCalls).toEqual({ forward: 3, backward: 2 });
    expect(map.shape).toEqual([4, 4]);
  });

  it('takes as many passes as its points, and the same map for any batch size', async () => {
    const model = await smallNetwork('vit');
    const two = await rows(model, 'iia', { steps: 3 });
    expect(two.manifest.modelCalls).toEqual({ forward: 4 + 16, backward: 16 });
    expect(two.manifest.extras.interpolated).toEqual([[model.inside?.attentionMaps()[1].name]]);
    const three = await rows(model, 'iia', { steps: 3, levels: 3 });
    expect(three.manifest.modelCalls).toEqual({ forward: 4 + 16 + 64, backward: 64 });
    const all = await rows(model, 'iia', { steps: 3, blocks: 'all' });
    expect(relativeError(all.map.data, two.map.data)).toBeGreaterThan(1e-3);
    const { layers = [] } = await explain(model, input, {
      method: 'iia',
      target: 2,
      options: { steps: 3 },
      batchSize: 5,
    });
    close(layers[0].map.data, two.map.data);
    await expect(rows(model, 'iia', { levels: 3, blocks: 'all' })).rejects.toThrow(
      'expected levels 2 for blocks all',
    );
  });
});

const cases = recordedCases('vit');
describe.skipIf(!haveReference('vit'))(
  'transformers as the official code of IIA recorded them (needs ../shared)',
  () => {
    const model = () => referenceModel(REFERENCE_VIT);
    it.each([
      ['attention-rollout', 'rollout', {}, 1e-4],
      ['gae', 'gae', {}, 1e-4],
      ['t-attr', 'tattr_gradient', { relevance: 'attention' }, 1e-4],
      // Relevance is divided by sums near zero: a change of the picture by 1e-7 changes the last
      // case's map by up to 7e-4.
      ['t-attr', 'tattr_lrp', {}, 2e-3],
      ['iia', 'iia', { steps: 5 }, 1e-4],
    ])(
      '%s is %s',
      async (method, key, options, tolerance) => {
        const vit = await model();
        for (const each of cases) {
          const { layers = [] } = await explain(vit, recordedInput(each), {
            method,
            target: each.target,
            options,
          });
          const error = relativeError(layers[0].map.data, recorded('vit', each.arrays[key]).data);
          if (process.env.FOVEA_ERRORS) console.log(method, key, each.case, error);
          expect(error).toBeLessThan(tolerance);
        }
      },
      300_000,
    );

    // The released ablation puts α max(dS/dA ⊙ A, 0) in place of the last block's attention,
    // where the paper and ours have α A.
    it('replaces the attention of the last block as the released ablation of iia does', async () => {
      const vit = await model();
      const names = (vit.inside?.attentionMaps() ?? []).map((map) => map.name);
      for (const each of cases) {
        const picture = recordedInput(each);
        const attention = attentionOf(vit, picture) as Attention;
        const own = await gradientsOf(vit, { batch: picture, wrt: names, targets: [each.target] });
        const [last, slope] = [own.values, own.gradients].map((all) => all[all.length - 1].data);
        const points = [0, 1, 2, 3, 4, 5].map((k) => k / 5);
        const path = points.flatMap((alpha) =>
          Array.from(last, (a, i) => alpha * positiveProduct(a, slope[i])),
        );
        const replace = {
          [names[names.length - 1]]: tensor(
            [points.length, ...own.values[0].shape.slice(1)],
            Float32Array.from(path),
          ),
        };
        const { values, gradients } = await gradientsOf(vit, {
          batch: repeat(picture, points.length),
          wrt: names,
          targets: [each.target],
          replace,
        });
        const matrices = names.map((_, l) => {
          const sum = new Float64Array(attention.tokens ** 2);
          addOverHeads(sum, [gradients[l], values[l]], positiveProduct);
          return sum.map((value) => value / (points.length * attention.maps[l].heads));
        });
        const row = rolloutRow(attention, matrices, true).subarray(attention.prefix);
        expect(
          relativeError(row, recorded('vit', each.arrays.iia_ablation_attention).data),
          each.case,
        ).toBeLessThan(1e-4);
      }
    }, 300_000);

    it('reads the recorded attention', async () => {
      const vit = await model();
      const [each] = cases;
      const names = (vit.inside?.attentionMaps() ?? []).map((map) => map.name);
      const values = (await vit.inside?.activations(names, recordedInput(each))) ?? [];
      const expected = recorded('vit', each.arrays.attention);
      const size = expected.data.length / names.length;
      values.forEach((value, l) =>
        expect(
          relativeError(value.data, expected.data.subarray(l * size, (l + 1) * size)),
        ).toBeLessThan(1e-4),
      );
    });
  },
);
