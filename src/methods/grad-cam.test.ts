import { describe, expect, it } from 'vitest';
import { mean } from '../tensor/statistics.ts';
import {
  explainSmall,
  features,
  overChannels,
  scoreOf,
  slopesOf,
  sums,
} from './fixtures/quadratic-net.ts';
import { describeCamReference } from './fixtures/reference.ts';

// Selvaraju et al. 2017, equations 1 and 2 (without the ReLU).
const weightsFor = (target: number) => slopesOf(features, target).map(mean);
const mapFor = (target: number) => {
  const weights = weightsFor(target);
  return overChannels((c, i) => weights[c] * features[c][i]);
};

describe('grad-cam', () => {
  it('weights each channel by the mean of its gradients', async () => {
    for (const target of [0, 1]) {
      const { map, layers = [], manifest } = await explainSmall('grad-cam', target);
      expect(layers[0].map).toBeAllClose(mapFor(target));
      expect(map).toBeAllClose(mapFor(target)); // the layer is as large as the picture
      expect(manifest.modelCalls).toEqual({ forward: 1, backward: 1 });
    }
  });

  it('uses p_t (1 - p_t) (dS_t - dS_other) for the probability of two classes', async () => {
    const [other, own] = [0, 1].map((target) => scoreOf(features, target));
    const p = 1 / (1 + Math.exp(other - own));
    const [others, owns] = [0, 1].map(weightsFor);
    const { map } = await explainSmall('grad-cam', 1, { output: 'probability' });
    expect(map).toBeAllClose(
      overChannels((c, i) => p * (1 - p) * (owns[c] - others[c]) * features[c][i]),
    );
  });

  it('has no negative values with relu', async () => {
    const { map, signed } = await explainSmall('grad-cam', 0, { relu: true });
    expect(signed).toBe(false);
    expect((await explainSmall('grad-cam', 0)).signed).toBe(true);
    expect(map).toBeAllClose(mapFor(0).map((value) => Math.max(0, value)));
    expect(Math.min(...mapFor(0))).toBeLessThan(0);
  });

  it('averages several layers after dividing each map by its largest magnitude', async () => {
    const weights = slopesOf(features, 1).map((g, c) =>
      mean(g.map((slope, i) => (sums[c][i] > 0 ? slope : 0))),
    );
    const early = overChannels((c, i) => weights[c] * sums[c][i]);
    const scaled = (map: readonly number[]) => {
      const largest = Math.max(...map.map(Math.abs));
      return map.map((value) => value / largest);
    };
    const [first, last] = [scaled(early), scaled(mapFor(1))];
    const { map } = await explainSmall('grad-cam', 1, { layer: ['sums', 'features'] });
    expect(map).toBeAllClose(first.map((value, i) => (value + last[i]) / 2));
  });
});

describeCamReference('grad-cam', 'GradCAM');
