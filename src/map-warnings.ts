import type { Meter } from './model/meter.ts';
import type { Tensor } from './tensor/tensor.ts';

/** Scores that differ by at most this share of the largest score are equal up to rounding. */
const ROUNDING = 1e-6;

/**
 * Warnings about a map that shows less than it seems to: it has the same value everywhere, or all
 * scores that the method saw are equal, or all gradients are equal.
 * @param method - the name of the method
 * @param meter - the scores and gradients that the method saw
 * @param target - the index of the class
 */
export function mapWarnings(
  method: string,
  { data }: Tensor,
  meter: Pick<Meter, 'scoresOf' | 'gradientsOf'>,
  target: number,
): string[] {
  if (data.every((value) => value === data[0]))
    return [
      `the map of ${method} has the same value everywhere, so it does not show where the ` +
        `evidence is: try smaller windows or more superpixels if ${method} has them, another ` +
        'class, or another method',
    ];
  const scores = meter.scoresOf(target);
  if (scores && scores.count > 1) {
    const { count, low, high } = scores;
    if (high - low <= ROUNDING * Math.max(Math.abs(low), Math.abs(high)))
      return [
        `the ${count} altered pictures of ${method} all have the same score, so its map does not ` +
          'show where the evidence is: try another class, or another method',
      ];
  }
  const gradients = meter.gradientsOf(target);
  if (gradients?.isSame && gradients.count > 1)
    return [
      `the gradient is the same at all ${gradients.count} pictures that ${method} looks at, so ` +
        'its map shows no more than one gradient does: use gradient or gradient-x-input',
    ];
  return [];
}
