import { describe, expect, it } from 'vitest';
import { mean, sum } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { firstComponent } from './eigen-cam.ts';
import { type Channels, explainSmall, features, overChannels } from './fixtures/quadratic-net.ts';
import { describeCamReference } from './fixtures/reference.ts';

/**
 * M v₁ of Muhammad & Yeasin 2020, section III, for a matrix M of two columns, from the eigenvector
 * of the 2 × 2 matrix MᵀM. The sign makes the product with the sum over the channels positive.
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
  it('equals the first principal component, with and without channel means', async () => {
    const { map, manifest } = await explainSmall('eigen-cam');
    expect(map).toBeAllClose(mapOf(centered), { atol: 1e-5 });
    expect(manifest.modelCalls).toEqual({ forward: 1, backward: 0 });
    const plain = await explainSmall('eigen-cam', 1, { centre: false });
    expect(plain.map).toBeAllClose(mapOf(features), { atol: 1e-5 });
    expect(plain.map).not.toBeAllClose(map, { l2: 0.1 });
  });

  it('gives the same map for every class', async () => {
    const [one, other] = [await explainSmall('eigen-cam', 0), await explainSmall('eigen-cam', 1)];
    expect(one.map).toEqual(other.map);
    expect(overChannels(() => 1)).toHaveLength(one.map.data.length);
  });
});

describe('the first component', () => {
  it('equals a feature map of rank one, with its sign', () => {
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

  it('works for a feature map as fine as the picture', () => {
    const cells = Float32Array.from({ length: 500 * 500 }, (_, i) => i % 7);
    const map = firstComponent(tensor([1, 500, 500], cells), false);
    for (const i of [1, 6, 499 * 500]) expect(map.data[i]).toBeCloseTo(cells[i], 3);
  });

  it('is zero for a feature map of zeros', () => {
    expect(firstComponent(tensor([2, 2, 2]), false).data).toEqual(new Float32Array(4));
  });
});

describeCamReference('eigen-cam', 'EigenCAM', { upToSign: true });
