import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { completeness } from './completeness.ts';
import { context, H, mapOf, perfect, R, region, W } from './fixtures/region-scene.ts';

describe('completeness', () => {
  const options = { baseline: 'zero', score: 'probability' } as const;
  const shares = (factor: number) => mapOf(Array.from(region, (value) => (factor * value) / R));

  it('is 0 for a map that adds up to the score, else the relative error', async () => {
    expect((await completeness.score({ ...context, map: shares(1), options })).value).toBeCloseTo(
      0,
      6,
    );
    expect(
      (await completeness.score({ ...context, map: shares(1.25), options })).value,
    ).toBeCloseTo(0.25, 6);
    const half = tensor([1, 1, H, W], new Float32Array(H * W).fill(0.5));
    expect(
      (await completeness.score({ ...context, input: half, map: shares(1), options })).value,
    ).toBeCloseTo(1, 6);
    expect(
      (
        await completeness.score({
          ...context,
          input: half,
          map: shares(1),
          options: { ...options, relative: false },
        })
      ).value,
    ).toBeCloseTo(0.5, 6);
  });

  it('has no value if picture and baseline have the same score', async () => {
    expect(
      (await completeness.score({ ...context, input: tensor([1, 1, H, W]), map: perfect, options }))
        .value,
    ).toBeNull();
  });
});
