import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { regionModel } from './fixtures/region-model.ts';
import { maxSensitivity } from './max-sensitivity.ts';
import type { ExplainChanges } from './metric.ts';
import { randomLogit } from './random-logit.ts';
import { similarityOf, structuralSimilarity } from './shared/similarity.ts';

const [H, W] = [12, 10];
const model = regionModel(H, W, new Uint8Array(H * W).fill(1));
const input = tensor([1, 1, H, W], new Float32Array(H * W).fill(0.5));

function randomMap(seed: number): Tensor {
  const random = createRandom(seed);
  return tensor(
    [H, W],
    Float32Array.from({ length: H * W }, () => random.normal()),
  );
}

describe('structural similarity', () => {
  /** Pixel by pixel, over an explicit 11×11 window mirrored at the border. */
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

  it('equals a literal replica, 1 for equal maps in any unit', () => {
    const [a, b] = [randomMap(1), randomMap(2)];
    expect(structuralSimilarity(a, b)).toBeCloseTo(replica(a, b), 5);
    const scaled = tensor(
      [H, W],
      a.data.map((v) => 3 * v - 2),
    );
    expect(structuralSimilarity(a, scaled)).toBeCloseTo(1, 4);
    expect(structuralSimilarity(a, b)).toBeLessThan(0.5);
  });

  it('compares sizes where asked to', () => {
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

describe('max-sensitivity', () => {
  const context = { model, input, target: { index: 0 } };

  it('is 0 for a method that never moves', async () => {
    const map = randomMap(1);
    expect((await maxSensitivity.score({ ...context, map, explain: async () => map })).value).toBe(
      0,
    );
  });

  it('is the largest relative move over draws in the cube, for a method whose map is the picture', async () => {
    const map = tensor([H, W], input.data);
    const moves: number[] = [];
    const explain = async ({ input: moved }: ExplainChanges) => {
      const deltas = Array.from((moved as Tensor).data, (v) => v - 0.5);
      expect(Math.max(...deltas.map(Math.abs))).toBeLessThanOrEqual(0.1000001);
      moves.push(Math.hypot(...deltas) / Math.hypot(...map.data));
      return tensor([H, W], (moved as Tensor).data);
    };
    const { value, preset } = await maxSensitivity.score({
      ...context,
      map,
      explain,
      options: { radius: 0.1, samples: 5 },
    });
    expect(moves).toHaveLength(5);
    expect(value).toBeCloseTo(Math.max(...moves), 6);
    expect(value).toBeGreaterThan((0.9 * 0.2) / Math.sqrt(3)); // radius / |x| / √3 for uniform draws
    expect(preset).toBe('custom');
  });

  it('has no value for a map of zeros and asks for a way to explain', async () => {
    expect(
      (
        await maxSensitivity.score({
          ...context,
          map: tensor([H, W]),
          explain: async () => tensor([H, W]),
        })
      ).value,
    ).toBeNull();
    await expect(maxSensitivity.score({ ...context, map: randomMap(1) })).rejects.toThrow(
      'max-sensitivity: runs the method again and needs `explain`',
    );
  });
});

describe('random logit', () => {
  const context = { model, input, target: { index: 0 } };
  const map = randomMap(1);

  it('is 1 for a method that says the same for every class, -1 for one that says the opposite', async () => {
    expect(
      (await randomLogit.score({ ...context, map, explain: async () => map })).value,
    ).toBeCloseTo(1, 5);
    const opposite = tensor(
      [H, W],
      map.data.map((v) => -v),
    );
    expect(
      (await randomLogit.score({ ...context, map, preset: 'ranks', explain: async () => opposite }))
        .value,
    ).toBeCloseTo(-1, 12);
  });

  it('asks for other classes only, each once', async () => {
    const many = { ...model, labels: ['a', 'b', 'c', 'd', 'e'] };
    const asked: number[] = [];
    const explain = async ({ target }: ExplainChanges) => {
      asked.push(target?.index as number);
      return randomMap(2);
    };
    await randomLogit.score({
      ...context,
      model: many,
      target: { index: 2 },
      map,
      explain,
      options: { classes: 9 },
    });
    expect(asked.sort()).toEqual([0, 1, 3, 4]);
    await expect(
      randomLogit.score({ ...context, model: { ...model, labels: ['a'] }, map, explain }),
    ).rejects.toThrow('one class only');
  });
});
