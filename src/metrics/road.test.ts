import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { rectangle, regionModel } from './fixtures/region-model.ts';
import { road } from './road.ts';
import { imputeLinearly } from './shared/imputation.ts';

const [H, W] = [12, 10];

describe('noisy linear imputation', () => {
  /** The same equations, solved by Gaussian elimination on the full matrix. */
  function replica(plane: Float32Array, known: Uint8Array): Float64Array {
    const n = H * W;
    const rows = Array.from({ length: n }, (_, i) => {
      const row = new Float64Array(n + 1);
      row[i] = 1;
      if (known[i]) {
        row[n] = plane[i];
        return row;
      }
      const [y, x] = [Math.floor(i / W), i % W];
      let total = 0;
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          if ((dy === 0 && dx === 0) || y + dy < 0 || y + dy >= H || x + dx < 0 || x + dx >= W)
            continue;
          const weight = dy === 0 || dx === 0 ? 1 / 6 : 1 / 12;
          row[i + dy * W + dx] = -weight;
          total += weight;
        }
      }
      row[i] = total;
      return row;
    });
    for (let c = 0; c < n; c++) {
      const pivot = rows.findIndex((row, r) => r >= c && Math.abs(row[c]) > 1e-9);
      [rows[c], rows[pivot]] = [rows[pivot], rows[c]];
      for (let r = 0; r < n; r++) {
        const factor = rows[r][c] / rows[c][c];
        if (r !== c && factor !== 0) rows[r].forEach((_, k) => (rows[r][k] -= factor * rows[c][k]));
      }
    }
    return Float64Array.from(rows, (row, i) => row[n] / row[i]);
  }

  it.each([0.1, 0.5, 0.95])('solves the equations with a share of %f missing', (share) => {
    const random = createRandom(1);
    const planes = Float32Array.from({ length: 2 * H * W }, () => 2 + random.normal());
    const known = Uint8Array.from({ length: H * W }, () => (random.uniform() < share ? 0 : 1));
    const imputed = imputeLinearly(planes, known, H, W, 1e-7);
    for (const plane of [0, 1]) {
      const part = planes.subarray(plane * H * W, (plane + 1) * H * W);
      replica(part, known).forEach((value, i) =>
        expect(imputed[plane * H * W + i]).toBeCloseTo(value, 5),
      );
    }
    planes.forEach((value, i) => {
      if (known[i % (H * W)]) expect(imputed[i]).toBe(value);
    });
  });

  it('continues a picture of one colour, and a ramp inside it', () => {
    const known = Uint8Array.from({ length: H * W }, (_, i) => (i === 7 ? 1 : 0));
    const constant = imputeLinearly(new Float32Array(H * W).fill(0.7), known, H, W, 1e-7);
    for (const value of constant) expect(value).toBeCloseTo(0.7, 6);
    const ramp = Float32Array.from({ length: H * W }, (_, i) => (i % W) + 3 * Math.floor(i / W));
    const hole = rectangle(H, W, [3, 3, 8, 7]).map((value) => 1 - value);
    expect(imputeLinearly(ramp, hole, H, W, 1e-7)).toBeAllClose(ramp, { atol: 5e-5 });
  });
});

describe('ROAD', () => {
  // The region shines (1) on black (0); its mean is the probability.
  const region = rectangle(H, W, [4, 3, 8, 8]);
  const model = regionModel(H, W, region);
  const input = tensor([1, 1, H, W], Float32Array.from(region));
  const mapOf = (values: ArrayLike<number>) => tensor([H, W], Float32Array.from(values));
  const context = { model, input, target: { index: 0 } };
  const options = { noise: 0 };
  const score = async (map: Tensor, more = {}) =>
    (await road.score({ ...context, map, options, ...more })).value as number;

  it('is highest for the perfect map, its negative for the inverted one, near 0 for a random one', async () => {
    const best = await score(mapOf(region));
    expect(best).toBeGreaterThan(0.3);
    expect(await score(mapOf(region.map((value) => 1 - value)))).toBeLessThan(-0.2);
    const random = createRandom(3);
    const noise = await score(mapOf(Array.from({ length: H * W }, () => random.uniform())));
    expect(Math.abs(noise)).toBeLessThan(0.1);
  });

  it('has a known curve where only background is removed', async () => {
    const { curve } = await road.score({
      ...context,
      map: mapOf(region),
      options: { noise: 0, shares: [1 / 6, 0.5] },
    });
    // 20 of 120 pixels most relevant first: all the region goes, black around it: 0. Least relevant
    // first: all of it stays.
    expect(curve).toEqual({ x: [1 / 6, 0.5], y: [expect.closeTo(0.5, 4), expect.closeTo(0.5, 4)] });
  });

  it('turns its sign with the order', async () => {
    const random = createRandom(4);
    const values = Array.from({ length: H * W }, () => random.normal());
    expect(await score(mapOf(values.map((value) => -value)))).toBeCloseTo(
      -(await score(mapOf(values))),
      4,
    );
  });

  it('counts first places with accuracy, draws its noise from the seed', async () => {
    // At a tenth, 12 of the region's 20 pixels are filled in from the other 8, and the class stays
    // first.
    expect(
      (await road.score({ ...context, map: mapOf(region), preset: 'accuracy', options })).value,
    ).toBeCloseTo(4 / 9, 12);
    const noisy = (seed: number) => road.score({ ...context, map: mapOf(region), seed });
    expect(await noisy(1)).toEqual(await noisy(1));
    expect((await noisy(1)).value).not.toBe((await noisy(2)).value);
    expect((await noisy(1)).preset).toBe('pytorch-grad-cam');
  });
});
