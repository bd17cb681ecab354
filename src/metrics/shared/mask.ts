import type { Measurement, MetricContext } from '../metric.ts';

type Masks = Pick<MetricContext, 'mask' | 'void'>;

/** The region of each pixel, [H · W]: 1 is the object, 0 the background, 2 void (neither). */
export function regionsOf({ mask, void: left }: Masks): Uint8Array {
  return (mask as Uint8Array).map((value, i) => (left?.[i] ? 2 : value ? 1 : 0));
}

/**
 * For metrics that compare a map with an object: the result (no value) if the picture has no
 * object; undefined if it has one.
 */
export function excludedWithoutObject(masks: Masks): Measurement | undefined {
  return regionsOf(masks).includes(1)
    ? undefined
    : { value: null, reason: 'the mask has no object pixel' };
}
