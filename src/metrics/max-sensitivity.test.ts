import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { regionModel } from './fixtures/region-model.ts';
import { maxSensitivity } from './max-sensitivity.ts';
import type { ExplainChanges } from './metric.ts';

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

describe('max-sensitivity', () => {
  const context = { model, input, target: { index: 0 } };

  it('is 0 for a method whose map never changes', async () => {
    const map = randomMap(1);
    expect((await maxSensitivity.score({ ...context, map, explain: async () => map })).value).toBe(
      0,
    );
  });

  it('is the largest relative change of the map over random changes of the input', async () => {
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
    // The expected change is radius / |x| / √3 for uniform draws.
    expect(value).toBeGreaterThan((0.9 * 0.2) / Math.sqrt(3));
    expect(preset).toBe('custom');
  });

  it('has no value for a map of zeros, and needs `explain`', async () => {
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
      'max-sensitivity: needs `explain`, a function that runs the method again',
    );
  });
});
