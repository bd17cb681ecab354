import { describe, expect, it } from 'vitest';
import { mean, sum } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { firstComponent } from './eigen-cam.ts';
import { type Channels, explainSmall, features, overChannels } from './fixtures/quadratic-net.ts';
import { describeCamReference } from './fixtures/reference.ts';

/**
 * Muhammad & Yeasin 2020, section III: M v₁ for a matrix M of two columns, by the eigenvector of
 * the 2 × 2 matrix MᵀM; the sign is that of the sum over the channels.
 */
function mapOf([a, b]: Channels): number[] {
  const dot = (x: readonly number[], y: readonly number[]) => sum(x.map((v, i) => v * y[i]));
  const [aa, ab, bb] = [dot(a, a), dot(a, b), dot(b, b)];
  const largest = (aa + bb) / 2 + Math.hypot((aa - bb) / 2, ab);
  const length = Math.hypot(ab, largest - aa);
  const map = a.map((value, i) => (ab * value + (largest - aa) * b[i]) / length);
  const agreement = dot(
    map,
    a.map((value, i) => value + b[i]),
  );
  return map.map((value) => Math.sign(agreement) * value);
}
const centered = features.map((channel) => channel.map((value) => value - mean(channel)));

describe('eigen-cam', () => {
  it('is the first principal component, of channels without their mean or as they are', async () => {
    const { map, manifest } = await explainSmall('eigen-cam');
    expect(map).toBeAllClose(mapOf(centered), { atol: 1e-5 });
    expect(manifest.modelCalls).toEqual({ forward: 1, backward: 0 });
    const plain = await explainSmall('eigen-cam', 1, { centre: false });
    expect(plain.map).toBeAllClose(mapOf(features), { atol: 1e-5 });
    expect(plain.map).not.toBeAllClose(map, { l2: 0.1 });
  });

  it('is the same for every class', async () => {
    const [one, other] = [await explainSmall('eigen-cam', 0), await explainSmall('eigen-cam', 1)];
    expect(one.map).toEqual(other.map);
    expect(overChannels(() => 1)).toHaveLength(one.map.data.length);
  });
});

describe('the first component', () => {
  it('of a feature map of rank one is that map, with its sign', () => {
    const [cells, channels] = [
      [1, 2, 0, 3, 1, 5],
      [2, -1, 0.5, 4],
    ];
    const a = tensor(
      [4, 2, 3],
      Float32Array.from(channels.flatMap((c) => cells.map((x) => c * x))),
    );
    const length = Math.hypot(...channels);
    expect(firstComponent(a, false)).toBeAllClose(cells.map((x) => length * x));
    expect(firstComponent(a, true)).toBeAllClose(cells.map((x) => length * (x - 2)));
  });

  it('of a feature map as fine as the picture is found too', () => {
    const cells = Float32Array.from({ length: 500 * 500 }, (_, i) => i % 7);
    const map = firstComponent(tensor([1, 500, 500], cells), false);
    for (const i of [1, 6, 499 * 500]) expect(map.data[i]).toBeCloseTo(cells[i], 3);
  });

  it('of a feature map of zeros is zero', () => {
    expect(firstComponent(tensor([2, 2, 2]), false).data).toEqual(new Float32Array(4));
  });
});

describeCamReference('eigen-cam', 'EigenCAM', { upToSign: true });
