import { expect, it } from 'vitest';
import { explainSmall, features, overChannels, scoreOf } from './fixtures/quadratic-net.ts';
import { describeCamReference } from './fixtures/reference.ts';

// Desai & Ramaswamy 2020, equation 3.
it('weights each channel by the share of the score that is lost without the channel', async () => {
  for (const target of [0, 1]) {
    const whole = scoreOf(features, target);
    const weights = features.map((_, c) => {
      const without = features.map((channel, k) => (k === c ? channel.map(() => 0) : channel));
      return (whole - scoreOf(without, target)) / whole;
    });
    const { map } = await explainSmall('ablation-cam', target);
    expect(map).toBeAllClose(overChannels((c, i) => weights[c] * features[c][i]));
  }
});

describeCamReference('ablation-cam', 'AblationCAM', { tolerance: 1e-3 });
