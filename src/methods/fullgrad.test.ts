import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { INPUT, type Model } from '../model/model.ts';
import { extent, sum } from '../tensor/statistics.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  biases,
  features,
  overChannels,
  pixels,
  quadraticNet,
  slopesOf,
  smallPicture,
  weights,
} from './fixtures/quadratic-net.ts';
import { explainCase, haveReference, recorded, recordedCases } from './fixtures/reference.ts';
import { noisePictures, smallNetwork } from './fixtures/vit.ts';
import { gradientsOf } from './shared/gradients.ts';

/** Stretches a channel to 0 … 1. */
function stretched(values: readonly number[]): number[] {
  const [least, most] = extent(values);
  return values.map((value) => (value - least) / (most - least));
}

describe('fullgrad', () => {
  // Srinivas & Fleuret 2019, equation 5.
  it('adds the stretched channels of input times gradient and of bias times gradient', async () => {
    for (const target of [0, 1]) {
      const slopes = slopesOf(features, target).map((channel, c) =>
        channel.map((slope, i) => (features[c][i] > 0 ? slope : 0)),
      );
      const ofInput = stretched(
        pixels.map((x, i) => Math.abs(x * sum(weights.map((w, c) => w * slopes[c][i])))),
      );
      const ofBiases = slopes.map((channel, c) =>
        stretched(channel.map((slope) => Math.abs(biases[c] * slope))),
      );
      const { map, manifest } = await explain(await quadraticNet(), smallPicture, {
        method: 'fullgrad',
        target,
      });
      expect(map).toBeAllClose(
        ofInput.map((value, i) => value + overChannels((c) => ofBiases[c][i])[i]),
      );
      expect(manifest.extras).toEqual({ biases: 1 });
    }
  });

  /** The part of the score that does not come from the input or from a bias of a feature map. */
  async function rest(model: Model, input: Tensor): Promise<number> {
    const layers = (await model.inside?.biases()) ?? [];
    expect(layers.length).toBeGreaterThan(3);
    const wrt = [INPUT, ...layers.map(({ name }) => name)];
    const { gradients, scores } = await gradientsOf(model, { batch: input, wrt, targets: [0] });
    const ofBiases = layers.map(({ bias }, l) => {
      const { shape, data } = gradients[l + 1];
      return sum(data.map((g, i) => g * bias[Math.floor(i / (shape[2] * shape[3]))]));
    });
    return scores.data[0] - sum(gradients[0].data.map((g, i) => g * input.data[i])) - sum(ofBiases);
  }

  it('explains the whole score, except for the bias of the head', async () => {
    const model = await smallNetwork('mobilenet-v2');
    const [one, other] = [1, 9].map((seed) => rest(model, noisePictures(1, 32, seed)));
    expect(await one).toBeAllClose(await other, { atol: 2e-3 });
  });

  it('is never negative, and costs one forward and one backward pass', async () => {
    const { map, manifest } = await explain(
      await smallNetwork('mobilenet-v2'),
      noisePictures(1, 32),
      { method: 'fullgrad' },
    );
    expect(Math.min(...map.data)).toBeGreaterThanOrEqual(0);
    expect(manifest.modelCalls).toEqual({ forward: 1, backward: 1 });
  });

  it('uses the biases of tokens in transformers, but not those inside windows', async () => {
    for (const name of ['vit', 'swin', 'maxvit'] as const) {
      const model = await smallNetwork(name);
      const input = noisePictures(2, 32);
      const biases = (await model.inside?.biases()) ?? [];
      const { gradients } = await gradientsOf(model, {
        batch: input,
        wrt: biases.map((each) => each.name),
        targets: [0],
      });
      for (const { shape } of gradients) expect(shape[0], name).toBe(2);
      const { map, manifest } = await explain(model, noisePictures(1, 32), { method: 'fullgrad' });
      expect(manifest.extras.biases, name).toBeGreaterThan(3);
      expect(extent(map.data)[1], name).toBeGreaterThan(0);
    }
  });
});
describe.skipIf(!haveReference('cam'))(
  'fullgrad as pytorch-grad-cam recorded it (needs ../shared)',
  () => {
    it.each(
      recordedCases('cam')
        .filter((each) => 'FullGrad_sum' in each.arrays)
        .map((each) => [`${each.model} ${each.case}`, each] as const),
    )(
      '%s',
      async (_, each) => {
        const { map } = await explainCase(each, 'fullgrad', {});
        expect(map.data).toBeAllClose(recorded('cam', each.arrays.FullGrad_sum).data, { l2: 1e-3 });
      },
      120_000,
    );
  },
);
