import { describe, expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { tensor } from '../../tensor/tensor.ts';
import { attentionNames, explainTokens, input, smallVit, TOKENS } from '../fixtures/attention.ts';
import {
  describeAttentionReference,
  haveReference,
  REFERENCE_VIT,
  recorded,
  recordedCases,
  recordedInput,
  referenceModel,
} from '../fixtures/reference.ts';
import {
  type Attention,
  addOverHeads,
  attentionOf,
  positiveProduct,
  rolloutRow,
} from '../shared/attention.ts';
import { gradientsOf, repeat } from '../shared/gradients.ts';

describe('iia of a transformer', () => {
  it('with one step, equals the rollout of the mean over the points 0 and 1', async () => {
    const model = await smallVit();
    const names = attentionNames(model);
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
    const { map, manifest } = await explainTokens(model, 'iia', { steps: 1, paths: 'activations' });
    expect(map).toBeAllClose(
      rolloutRow(attentionOf(model, input) as Attention, means, true).subarray(1),
      { l2: 1e-4 },
    );
    expect(manifest.modelCalls).toEqual({ forward: 3, backward: 2 });
    expect(map.shape).toEqual([4, 4]);
  });

  it('costs one pass per point, and gives the same map for any batch size', async () => {
    const model = await smallVit();
    const two = await explainTokens(model, 'iia', { steps: 3 });
    expect(two.manifest.modelCalls).toEqual({ forward: 4 + 16, backward: 16 });
    expect(two.manifest.extras.interpolated).toEqual([[model.inside?.attentionMaps()[1].name]]);
    const three = await explainTokens(model, 'iia', { steps: 3, levels: 3 });
    expect(three.manifest.modelCalls).toEqual({ forward: 4 + 16 + 64, backward: 64 });
    const all = await explainTokens(model, 'iia', { steps: 3, blocks: 'all' });
    expect(all.map.data).not.toBeAllClose(two.map.data, { l2: 1e-3 });
    const { layers = [] } = await explain(model, input, {
      method: 'iia',
      target: 2,
      options: { steps: 3 },
      batchSize: 5,
    });
    expect(layers[0].map).toBeAllClose(two.map, { l2: 1e-4 });
    await expect(explainTokens(model, 'iia', { levels: 3, blocks: 'all' })).rejects.toThrow(
      'use levels 2 together with blocks all',
    );
  });
});

describeAttentionReference('iia', 'iia', { steps: 5 });

describe.skipIf(!haveReference('vit'))('the released ablation of iia (needs ../shared)', () => {
  // The released ablation replaces the attention A of the last block by α max(dS/dA ⊙ A, 0). The
  // paper and Fovea replace it by α A.
  it('is reproduced from the same parts', async () => {
    const vit = await referenceModel(REFERENCE_VIT);
    const names = attentionNames(vit);
    for (const each of recordedCases('vit')) {
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
      expect(row, each.case).toBeAllClose(
        recorded('vit', each.arrays.iia_ablation_attention).data,
        { l2: 1e-4 },
      );
    }
  }, 300_000);
});
