/** Side in pixels of the inputs for which the defaults of windows and superpixels are set. */
const SIDE = 224;

/**
 * What defaults in pixels are multiplied by: 1 for inputs whose shorter side is 224 pixels or more,
 * else that side / 224, so that small inputs are divided into as many parts as large ones.
 */
export const inputScale = (height: number, width: number): number =>
  Math.min(1, Math.min(height, width) / SIDE);

/** A default length in pixels at the scale of an input, a whole number from 1. */
export const scaledLength = (pixels: number, height: number, width: number): number =>
  Math.max(1, Math.round(pixels * inputScale(height, width)));

/** A default area in pixels at the scale of an input, a whole number from 1. */
export const scaledArea = (pixels: number, height: number, width: number): number =>
  Math.max(1, Math.round(pixels * inputScale(height, width) ** 2));
