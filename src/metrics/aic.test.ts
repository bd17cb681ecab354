import { describe, expect, it } from 'vitest';
import { aic } from './aic.ts';
import { context, options, perfect } from './fixtures/chessboard.ts';
import type { Curve } from './metric.ts';

describe('AIC', () => {
  it('jumps from 0 to 1 when the class becomes the first', async () => {
    const { value, curve } = await aic.score({ ...context, map: perfect, options });
    const { x, y } = curve as Curve;
    // 0.05 of 720 pixels show 18 bright ones of 40, 0.07 show 25 or 26: the accuracy is 1 from there on.
    const jump = x.filter((_, i) => y[i] < 1).length / 1000;
    expect(jump).toBeGreaterThan(18 / 40);
    expect(jump).toBeLessThan(27 / 40);
    expect(value).toBeGreaterThan(1 - 26 / 40);
    expect(value).toBeLessThan(1 - 18 / 40 + 0.01);
  });

  it('leaves out a picture whose class is not the first', async () => {
    const target = { index: 1 };
    const { value, reason } = await aic.score({ ...context, target, map: perfect, options });
    expect(value).toBeNull();
    expect(reason).toContain('0.000, is below 0.8');
  });
});
