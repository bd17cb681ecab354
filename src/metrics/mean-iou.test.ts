import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { itComparesWithObjects } from './fixtures/segmentation.ts';
import { empty, object, perfect, shared, shifted } from './fixtures/squares.ts';
import { dataSetLevel } from './levels.ts';
import { meanIou } from './mean-iou.ts';

describe('mean IoU', () => {
  it('is the mean of the IoU of the object and of the background for two squares', async () => {
    for (const by of [0, 1, 4, 9, 12]) {
      const both = shared(by);
      const wrong = 200 - 2 * both;
      const neither = 600 - both - wrong;
      expect((await meanIou.score({ map: shifted(by), mask: object })).value).toBeCloseTo(
        (both / (both + wrong) + neither / (neither + wrong)) / 2,
        12,
      );
    }
  });

  it('does not count a class that is absent', async () => {
    const all = new Uint8Array(4).fill(1);
    const map = tensor([1, 4], Float32Array.of(0, 1, 1, 1));
    const { value } = await meanIou.score({ map, mask: all, void: Uint8Array.of(1, 0, 0, 0) });
    expect(value).toBe(1);
  });

  it('sums the pixels of a data set before it divides', async () => {
    const scores = await Promise.all(
      [shifted(0), shifted(5), perfect].map((map, i) =>
        meanIou.score({ map, mask: i < 2 ? object : empty }),
      ),
    );
    const foreground = (100 + 50) / (100 + 150);
    const background = (500 + 450) / (500 + 550);
    expect(dataSetLevel(scores)).toEqual({
      value: expect.closeTo((foreground + background) / 2, 12),
      count: 2,
      excluded: 1,
    });
    expect(dataSetLevel([])).toEqual({ value: null, count: 0, excluded: 0 });
  });

  itComparesWithObjects(meanIou);
});
