import { expect, it } from 'vitest';
import { explainSmall, features, overChannels, slopesOf } from './fixtures/quadratic-net.ts';
import { describeCamReference } from './fixtures/reference.ts';

// Jiang et al. 2021, equations 5 to 7 (without the last ReLU).
it('weights each cell by its own positive gradient', async () => {
  for (const target of [0, 1]) {
    const slopes = slopesOf(features, target);
    const { map } = await explainSmall('layer-cam', target);
    expect(map).toBeAllClose(overChannels((c, i) => Math.max(0, slopes[c][i]) * features[c][i]));
  }
});

describeCamReference('layer-cam', 'LayerCAM');
