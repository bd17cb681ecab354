import { FoveaError } from '../errors.ts';
import type { Image } from '../image/image.ts';
import { type ExplainedMap, type OverlayOptions, overlay } from '../visualize/overlay.ts';
import { type ImageInput, isImageInput, readImage } from './read-image.ts';

/**
 * Draws a picture with the map of an explanation over it. The canvas gets the size of the picture
 * in pixels; CSS may show it at any size.
 * @param picture - the picture that was explained, or a copy of another size
 * @throws FoveaError `usage` if the canvas has no 2D context, `image` if the picture cannot be
 * read.
 */
export async function drawOverlay(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  picture: Image | ImageInput,
  explanation: ExplainedMap,
  options: OverlayOptions = {},
): Promise<void> {
  const source = isImageInput(picture) ? await readImage(picture) : picture;
  const { width, height, data } = overlay(source, explanation, options);
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    pixels.data.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    pixels.data[4 * i + 3] = 255;
  }
  const context = canvas.getContext('2d') as CanvasRenderingContext2D | null;
  if (!context)
    throw new FoveaError('usage', 'the canvas has no 2D context: give one without a WebGL context');
  Object.assign(canvas, { width, height });
  context.putImageData(pixels, 0, 0);
}
