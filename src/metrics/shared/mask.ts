import type { Measurement, MetricContext } from '../metric.ts';

type Masks = Pick<MetricContext, 'mask' | 'void'>;

/** The pixels that count, [H · W]: 1 the object, 0 the background, 2 void (neither). */
export function regionsOf({ mask, void: left }: Masks): Uint8Array {
  return (mask as Uint8Array).map((value, i) => (left?.[i] ? 2 : value ? 1 : 0));
}

/**
 * The result of every metric that compares with an object, for a picture without an object;
 * undefined if there is an object.
 */
export function excludedWithoutObject(masks: Masks): Measurement | undefined {
  return regionsOf(masks).includes(1)
    ? undefined
    : { value: null, reason: 'the mask has no object pixel' };
}
