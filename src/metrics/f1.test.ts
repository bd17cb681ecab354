import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { f1 } from './f1.ts';
import { itComparesWithObjects } from './fixtures/segmentation.ts';
import { H, mapOf, object, perfect, shared, shifted, W } from './fixtures/squares.ts';
import { iou } from './iou.ts';

describe('F1', () => {
  it('equals twice the intersection over the sum of the sizes for two squares', async () => {
    for (let by = 0; by <= 12; by++) {
      const { value } = await f1.score({ map: shifted(by), mask: object });
      expect(value).toBeCloseTo((2 * shared(by)) / 200, 12);
    }
  });

  it('equals 2 IoU / (1 + IoU)', async () => {
    const map = mapOf(Array.from({ length: H * W }, (_, i) => Math.sin(i * 12.9898)));
    const u = (await iou.score({ map, mask: object })).value ?? Number.NaN;
    expect((await f1.score({ map, mask: object })).value).toBeCloseTo((2 * u) / (1 + u), 12);
  });

  it('is 0 for a constant map', async () => {
    expect((await f1.score({ map: tensor([H, W]), mask: object })).value).toBe(0);
  });

  itComparesWithObjects(f1);
});

describe('the row-wise F1 of published tables', () => {
  it('is the mean over rows; a row without object and activated pixels counts 0', async () => {
    const { value, preset } = await f1.score({
      map: perfect,
      mask: object,
      preset: 'chefer-2021-rows',
    });
    expect(value).toBe(10 / 20); // the map is perfect, but only half of the rows have an object
    expect(preset).toBe('chefer-2021-rows');
    const half = await f1.score({ map: shifted(5), mask: object, preset: 'chefer-2021-rows' });
    expect(half.value).toBeCloseTo(0.25, 12);
  });

  it('is never the default', async () => {
    expect(await f1.score({ map: perfect, mask: object })).toMatchObject({
      value: 1,
      preset: 'iassa-2020',
    });
  });
});
