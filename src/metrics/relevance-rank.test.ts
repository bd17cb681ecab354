import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { rectangle } from './fixtures/region-model.ts';
import { itComparesWithObjects } from './fixtures/segmentation.ts';
import { H, object, shared, shifted, W } from './fixtures/squares.ts';
import { relevanceRank } from './relevance-rank.ts';

describe('relevance rank', () => {
  it('is the share of the K highest pixels on an object of K pixels', async () => {
    const map = tensor([1, 4], Float32Array.of(1, -2, 3, 0));
    const mask = Uint8Array.of(1, 1, 0, 0);
    expect((await relevanceRank.score({ map, mask })).value).toBe(0.5); // 3 and 1 are the top two
    expect((await relevanceRank.score({ map, mask, order: [1, 0, 2, 3] })).value).toBe(1);
  });

  it('equals the common share of two squares', async () => {
    for (const by of [0, 1, 4, 9, 12]) {
      const { value } = await relevanceRank.score({ map: shifted(by), mask: object });
      expect(value).toBeCloseTo(shared(by) / 100, 12);
    }
  });

  it('does not count void pixels', async () => {
    const left = rectangle(H, W, [0, 15, H, W]); // all of a map shifted by 4 beyond the object
    const { value } = await relevanceRank.score({ map: shifted(4), mask: object, void: left });
    expect(value).toBeCloseTo(0.6, 12);
  });

  itComparesWithObjects(relevanceRank);
});
