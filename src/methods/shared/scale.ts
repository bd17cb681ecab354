/**
 * The side, in pixels, of the inputs for which the defaults of windows and superpixels were chosen.
 */
const SIDE = 224;

/**
 * The factor for default lengths in pixels: 1 for inputs whose shorter side is 224 pixels or more,
 * else the shorter side / 224. So small inputs are divided into as many parts as large ones.
 */
export const inputScale = (height: number, width: number): number =>
  Math.min(1, Math.min(height, width) / SIDE);

/** A default length, scaled to an input: a whole number of pixels, at least 1. */
export const scaledLength = (pixels: number, height: number, width: number): number =>
  Math.max(1, Math.round(pixels * inputScale(height, width)));

/** A default area, scaled to an input: a whole number of pixels, at least 1. */
export const scaledArea = (pixels: number, height: number, width: number): number =>
  Math.max(1, Math.round(pixels * inputScale(height, width) ** 2));
