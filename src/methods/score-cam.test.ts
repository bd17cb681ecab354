import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import {
  explainSmall,
  features,
  featuresOf,
  overChannels,
  pixels,
  scoreOf,
} from './fixtures/quadratic-net.ts';
import { describeCamReference } from './fixtures/reference.ts';
import { channelMasks } from './score-cam.ts';
import { upsampleGrid } from './shared/grid-sums.ts';

/** Equations 2 to 5 of Wang et al. 2020. Masked pixels become `hidden`. */
function mapFor(target: number, hidden: number): number[] {
  const scores = features.map((channel) => {
    const [least, most] = [Math.min(...channel), Math.max(...channel)];
    const masked = pixels.map((x, i) => {
      const mask = (channel[i] - least) / (most - least);
      return mask * x + (1 - mask) * hidden;
    });
    return scoreOf(featuresOf(masked), target);
  });
  const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
  return overChannels((c, i) => (Math.exp(scores[c]) / total) * features[c][i]);
}

describe('score-cam', () => {
  it('weights each channel by the softmax of the scores of the masked pictures', async () => {
    for (const target of [0, 1]) {
      const { map, manifest } = await explainSmall('score-cam', target);
      expect(map).toBeAllClose(mapFor(target, 0), { rtol: 1e-4 });
      expect(manifest.modelCalls).toEqual({ forward: 3, backward: 0 });
    }
    const white = (1 - 0.25) / 0.5; // the network's mean is 0.25, its standard deviation 0.5
    expect((await explainSmall('score-cam', 1, { baseline: 'white' })).map).toBeAllClose(
      mapFor(1, white),
      { rtol: 1e-4 },
    );
  });

  it('stretches masks to 0 … 1 after upsampling; a constant channel shows nothing', () => {
    const activations = tensor([2, 2, 2], Float32Array.of(1, 3, 3, 5, 7, 7, 7, 7));
    const { grids, rows, columns } = channelMasks(activations, 3, 3);
    const masks = [0, 1].map((c) =>
      upsampleGrid(grids.data.subarray(4 * c, 4 * c + 4), rows.data, columns.data, [2, 2]),
    );
    // The corners are aligned, and the middle of two cells is their mean: 1 2 3, 2 3 4, 3 4 5.
    expect(masks[0]).toBeAllClose([0, 0.25, 0.5, 0.25, 0.5, 0.75, 0.5, 0.75, 1]);
    expect(masks[1]).toBeAllClose(new Array(9).fill(0));
  });
});

describeCamReference('score-cam', 'ScoreCAM', { tolerance: 1e-3 });
