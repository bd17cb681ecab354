import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { rectangle } from './fixtures/region-model.ts';
import { itComparesWithObjects } from './fixtures/segmentation.ts';
import { H, object, shared, shifted, W } from './fixtures/squares.ts';
import { pixelAccuracy } from './pixel-accuracy.ts';

describe('pixel accuracy', () => {
  it('is the share of pixels in which two squares agree', async () => {
    for (const by of [0, 1, 4, 9, 12]) {
      const { value } = await pixelAccuracy.score({ map: shifted(by), mask: object });
      expect(value).toBeCloseTo((600 - (200 - 2 * shared(by))) / 600, 12);
    }
  });

  it('does not count void pixels', async () => {
    const left = rectangle(H, W, [0, 15, H, W]); // all of a map shifted by 4 beyond the object
    const { value } = await pixelAccuracy.score({ map: shifted(4), mask: object, void: left });
    expect(value).toBeCloseTo(260 / 300, 12);
  });

  it('uses the mean, as in published tables, or a share of the range as threshold', async () => {
    const ramp = tensor([1, 4], Float32Array.of(0, 1, 2, 9)); // mean 3
    const mask = Uint8Array.of(0, 0, 1, 1);
    expect((await pixelAccuracy.score({ map: ramp, mask })).value).toBe(0.75);
    const options = { threshold: 0.2 };
    expect((await pixelAccuracy.score({ map: ramp, mask, options })).value).toBe(1);
  });

  itComparesWithObjects(pixelAccuracy);
});
