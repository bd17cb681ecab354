import { describe, expect, it } from 'vitest';
import { deepLift } from '../autodiff/index.ts';
import { INPUT } from '../model/model.ts';
import { sum } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { convNet, picture } from './fixtures/nets.ts';
import { explainSmall, features, overChannels, scoreOf } from './fixtures/quadratic-net.ts';
import { gradientsOf } from './shared/gradients.ts';

describe('lift-cam', () => {
  // Jung & Oh 2021, section 3.3. Each term of the head depends on one cell. So the DeepLIFT
  // contribution of a channel is exactly the score that it adds.
  it('weights each channel by its contribution to the score', async () => {
    for (const target of [0, 1]) {
      const weights = features.map((_, c) =>
        scoreOf(
          features.map((channel, k) => (k === c ? channel : channel.map(() => 0))),
          target,
        ),
      );
      const { map } = await explainSmall('lift-cam', target);
      expect(map).toBeAllClose(overChannels((c, i) => weights[c] * features[c][i]));
    }
  });

  it('has contributions that add up to the score, minus that of zeros', async () => {
    const model = await convNet('tanh');
    const wrt = ['features'];
    const [activations] = (await gradientsOf(model, { batch: picture, wrt, targets: [1] })).values;
    const zero = tensor(activations.shape);
    const { gradients, scores } = await gradientsOf(model, {
      batch: activations,
      at: 'features',
      wrt: [INPUT],
      targets: [1],
      rules: deepLift,
      reference: zero,
    });
    const empty = await gradientsOf(model, { batch: zero, at: 'features', wrt: [], targets: [1] });
    expect(sum(activations.data.map((a, i) => a * gradients[0].data[i]))).toBeAllClose(
      scores.data[0] - empty.scores.data[0],
      { atol: 5e-5 },
    );
  });
});
