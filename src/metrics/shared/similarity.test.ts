import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { similarityOf, structuralSimilarity } from './similarity.ts';

const [H, W] = [12, 10];

function randomMap(seed: number): Tensor {
  const random = createRandom(seed);
  return tensor(
    [H, W],
    Float32Array.from({ length: H * W }, () => random.normal()),
  );
}

describe('structural similarity', () => {
  /**
   * A literal copy: pixel by pixel, with an explicit 11×11 window that is mirrored at the border.
   */
  function replica(a: Tensor, b: Tensor): number {
    const unit = ({ data }: Tensor) => {
      const [min, max] = [Math.min(...data), Math.max(...data)];
      return Array.from(data, (v) => (v - min) / (max - min));
    };
    const [x, y] = [unit(a), unit(b)];
    const mirror = (i: number, n: number) => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i);
    let sum = 0;
    for (let row = 0; row < H; row++) {
      for (let column = 0; column < W; column++) {
        const taps: [number, number, number][] = [];
        for (let i = -5; i <= 5; i++) {
          for (let j = -5; j <= 5; j++) {
            const at = mirror(row + i, H) * W + mirror(column + j, W);
            taps.push([Math.exp(-(i * i + j * j) / (2 * 1.5 * 1.5)), x[at], y[at]]);
          }
        }
        const total = taps.reduce((all, [w]) => all + w, 0);
        const mean = (of: (u: number, v: number) => number) =>
          taps.reduce((all, [w, u, v]) => all + w * of(u, v), 0) / total;
        const [mx, my] = [mean((u) => u), mean((_, v) => v)];
        const [vx, vy, cov] = [
          mean((u) => (u - mx) ** 2),
          mean((_, v) => (v - my) ** 2),
          mean((u, v) => (u - mx) * (v - my)),
        ];
        sum +=
          ((2 * mx * my + 1e-4) * (2 * cov + 9e-4)) /
          ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4));
      }
    }
    return sum / (H * W);
  }

  it('equals a literal copy, and is 1 for equal maps in any unit', () => {
    const [a, b] = [randomMap(1), randomMap(2)];
    expect(structuralSimilarity(a, b)).toBeCloseTo(replica(a, b), 5);
    const scaled = tensor(
      [H, W],
      a.data.map((v) => 3 * v - 2),
    );
    expect(structuralSimilarity(a, scaled)).toBeCloseTo(1, 4);
    expect(structuralSimilarity(a, b)).toBeLessThan(0.5);
  });

  it('compares absolute values if asked to', () => {
    const a = randomMap(1);
    const negated = tensor(
      [H, W],
      a.data.map((v) => -v),
    );
    expect(similarityOf(a, negated, { similarity: 'spearman', absolute: false })).toBeCloseTo(
      -1,
      12,
    );
    expect(similarityOf(a, negated, { similarity: 'spearman', absolute: true })).toBeCloseTo(1, 12);
    expect(similarityOf(a, negated, { similarity: 'ssim', absolute: true })).toBeCloseTo(1, 5);
  });
});
