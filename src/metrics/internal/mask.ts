import type { Measurement } from '../metric.ts';

/** The answer of every metric that compares with an object for a picture without one; undefined where there is one. */
export function excludedWithoutObject(mask: Uint8Array): Measurement | undefined {
  return mask.some((value) => value !== 0) ? undefined : { value: null, reason: 'the mask has no object pixel' };
}
