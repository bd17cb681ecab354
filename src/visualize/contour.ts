import { type Image, image } from '../image/image.ts';

/** An sRGB color; each channel is 0 … 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** Options of `drawOutline`. */
export interface OutlineOptions {
  /** Colour of the line; white if not given. */
  readonly colour?: Colour;
  /** Thickness of the line in pixels, drawn outside the mask; 2 if not given. */
  readonly thickness?: number;
  /** Color of a thin rim that keeps the line visible on any background; black if not given. */
  readonly rim?: Colour;
}

/** Grows a mask by one pixel in the four directions. */
function dilate(mask: Uint8Array, width: number, height: number): Uint8Array {
  const grown = mask.slice();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (mask[i]) continue;
      const touches =
        (x > 0 && mask[i - 1]) ||
        (x < width - 1 && mask[i + 1]) ||
        (y > 0 && mask[i - width]) ||
        (y < height - 1 && mask[i + width]);
      if (touches) grown[i] = 1;
    }
  }
  return grown;
}

/**
 * Draws the outline of a mask around it, over the picture. The mask has the picture's size; nonzero
 * is inside.
 */
export function drawOutline(picture: Image, mask: Uint8Array, options: OutlineOptions = {}): Image {
  const { colour = [255, 255, 255], thickness = 2, rim = [0, 0, 0] } = options;
  const { width, height } = picture;
  const data = picture.data.slice();
  let inner: Uint8Array = mask.map((value) => (value ? 1 : 0));
  for (let ring = 0; ring <= thickness; ring++) {
    const outer = dilate(inner, width, height);
    const paint = ring < thickness ? colour : rim;
    for (let i = 0; i < outer.length; i++) if (outer[i] && !inner[i]) data.set(paint, 3 * i);
    inner = outer;
  }
  return image(width, height, data);
}
