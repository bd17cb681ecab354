import { expect, it } from 'vitest';
import { sum } from '../tensor/statistics.ts';
import { explainSmall, features, overChannels, slopesOf } from './fixtures/quadratic-net.ts';
import { describeCamReference } from './fixtures/reference.ts';

// Chattopadhay et al. 2018, equations 5 and 19, for the exponential of the score.
it('weights each positive gradient by alpha', async () => {
  for (const target of [0, 1]) {
    const slopes = slopesOf(features, target);
    const weights = slopes.map((g, c) =>
      sum(
        g.map((gradient) => {
          const alpha = gradient ** 2 / (2 * gradient ** 2 + sum(features[c]) * gradient ** 3);
          return alpha * Math.max(0, gradient);
        }),
      ),
    );
    const { map } = await explainSmall('grad-cam-plus-plus', target);
    expect(map).toBeAllClose(
      overChannels((c, i) => weights[c] * features[c][i]),
      { rtol: 1e-3, atol: 1e-4 }, // the method adds 1e-6 to the denominator
    );
  }
});

describeCamReference('grad-cam-plus-plus', 'GradCAMPlusPlus');
