import { describe, expect, it } from 'vitest';
import { sum } from '../tensor/statistics.ts';
import { explainSmall, features, overChannels, slopesOf } from './fixtures/quadratic-net.ts';
import { describeCamReference } from './fixtures/reference.ts';

describe('xgrad-cam', () => {
  // Fu et al. 2020, equation 8: w_c = Σ_i A_ci g_ci / Σ_i A_ci.
  it('weights each channel by the mean of its gradients, weighted by its activations', async () => {
    for (const target of [0, 1]) {
      const weights = slopesOf(features, target).map(
        (g, c) => sum(g.map((gradient, i) => gradient * features[c][i])) / sum(features[c]),
      );
      const { map } = await explainSmall('xgrad-cam', target);
      expect(map).toBeAllClose(overChannels((c, i) => weights[c] * features[c][i]));
    }
  });

  it('adds up to Σ A g, unlike Grad-CAM', async () => {
    const total = sum(overChannels((c, i) => features[c][i] * slopesOf(features, 1)[c][i]));
    expect(sum((await explainSmall('xgrad-cam')).map.data)).toBeAllClose(total);
    expect(sum((await explainSmall('grad-cam')).map.data)).not.toBeAllClose(total, { rtol: 0.05 });
  });
});

describeCamReference('xgrad-cam', 'XGradCAM');
