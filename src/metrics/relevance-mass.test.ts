import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { rectangle } from './fixtures/region-model.ts';
import { itComparesWithObjects } from './fixtures/segmentation.ts';
import { H, object, shared, shifted, W } from './fixtures/squares.ts';
import { relevanceMass } from './relevance-mass.ts';

describe('relevance mass', () => {
  it('uses the positive part, the absolute value or the square', async () => {
    const map = tensor([1, 4], Float32Array.of(1, -2, 3, 0));
    const mask = Uint8Array.of(1, 1, 0, 0);
    const score = async (preset?: string) =>
      (await relevanceMass.score({ map, mask, preset })).value;
    expect(await score()).toBeCloseTo(1 / 4, 12);
    expect(await score('absolute')).toBeCloseTo(3 / 6, 12);
    expect(await score('squared')).toBeCloseTo(5 / 14, 12);
  });

  it('equals the common share of two squares', async () => {
    for (const by of [0, 1, 4, 9, 12]) {
      const { value } = await relevanceMass.score({ map: shifted(by), mask: object });
      expect(value).toBeCloseTo(shared(by) / 100, 12);
    }
  });

  it('does not count void pixels', async () => {
    const left = rectangle(H, W, [0, 15, H, W]); // all of a map shifted by 4 beyond the object
    const { value } = await relevanceMass.score({ map: shifted(4), mask: object, void: left });
    expect(value).toBe(1);
  });

  it('has no value for a map without relevance', async () => {
    const map = tensor([1, 4], Float32Array.of(-1, -1, 0, 0));
    expect(await relevanceMass.score({ map, mask: Uint8Array.of(1, 1, 0, 0) })).toMatchObject({
      value: null,
      reason: 'the map has no relevance',
    });
  });

  itComparesWithObjects(relevanceMass);
});
