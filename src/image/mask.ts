/** A set of pixels of a picture: one byte per pixel, rows from the top, 0 outside and 1 inside. */
export interface Mask {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** The mask of the pixels for which `inside` returns true; `pixel` is row · width + column. */
export function createMask(
  width: number,
  height: number,
  inside: (pixel: number) => boolean,
): Mask {
  return {
    width,
    height,
    data: Uint8Array.from({ length: width * height }, (_, pixel) => (inside(pixel) ? 1 : 0)),
  };
}
