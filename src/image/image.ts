import { FoveaError } from '../errors.ts';

/** A picture: 8-bit sRGB, rows from the top, three interleaved bytes (R, G, B) per pixel. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Wraps `data` (not copied) as an image; black if no data is given.
 * @throws FoveaError `internal` if the length is not width × height × 3.
 */
export function image(width: number, height: number, data?: Uint8Array): Image {
  const bytes = data ?? new Uint8Array(width * height * 3);
  if (bytes.length !== width * height * 3) {
    throw new FoveaError(
      'internal',
      `an image of ${width}×${height} needs ${width * height * 3} bytes, got ${bytes.length}`,
    );
  }
  return { width, height, data: bytes };
}
