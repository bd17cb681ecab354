import { describe, expect, it } from 'vitest';
import { aic } from './aic.ts';
import { context, options, perfect } from './fixtures/chessboard.ts';
import type { Curve } from './metric.ts';

describe('AIC', () => {
  it('jumps from 0 to 1 when the class gets the highest score', async () => {
    const { value, curve } = await aic.score({ ...context, map: perfect, options });
    const { x, y } = curve as Curve;
    // A share of 0.05 of 720 pixels shows 18 of 40 bright pixels. A share of 0.07 shows 25 or 26,
    // and from there the accuracy is 1.
    const jump = x.filter((_, i) => y[i] < 1).length / 1000;
    expect(jump).toBeGreaterThan(18 / 40);
    expect(jump).toBeLessThan(27 / 40);
    expect(value).toBeGreaterThan(1 - 26 / 40);
    expect(value).toBeLessThan(1 - 18 / 40 + 0.01);
  });

  it('has no value for a picture whose class does not have the highest score', async () => {
    const target = { index: 1 };
    const { value, reason } = await aic.score({ ...context, target, map: perfect, options });
    expect(value).toBeNull();
    expect(reason).toContain('0.000, is below 0.8');
  });
});
