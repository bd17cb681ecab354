import { FoveaError } from '../errors.ts';

/**
 * Keys' cubic: (a+2)|x|³ - (a+3)|x|² + 1 for |x| < 1; a|x|³ - 5a|x|² + 8a|x| - 4a for |x| < 2.
 */
export function cubic(x: number, a: number): number {
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

/** @throws FoveaError `usage` if a size is not two positive integers. */
export function requireSize(width: number, height: number): void {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new FoveaError(
      'usage',
      `a size must be two whole numbers above 0 (width×height), got ${width}×${height}`,
    );
  }
}
