import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { rectangle } from '../fixtures/region-model.ts';
import { imputeLinearly } from './imputation.ts';

const [H, W] = [12, 10];

describe('noisy linear imputation', () => {
  /** A literal copy: the same equations, solved by Gaussian elimination on the full matrix. */
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

  it.each([0.1, 0.5, 0.95])('solves the equations if a share of %f is missing', (share) => {
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

  it('restores a picture of one color, and a hole in a ramp', () => {
    const known = Uint8Array.from({ length: H * W }, (_, i) => (i === 7 ? 1 : 0));
    const constant = imputeLinearly(new Float32Array(H * W).fill(0.7), known, H, W, 1e-7);
    for (const value of constant) expect(value).toBeCloseTo(0.7, 6);
    const ramp = Float32Array.from({ length: H * W }, (_, i) => (i % W) + 3 * Math.floor(i / W));
    const hole = rectangle(H, W, [3, 3, 8, 7]).map((value) => 1 - value);
    expect(imputeLinearly(ramp, hole, H, W, 1e-7)).toBeAllClose(ramp, { atol: 5e-5 });
  });
});
