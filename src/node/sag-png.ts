import sharp from 'sharp';
import type { Sag } from '../methods/sag/schema.ts';
import type { Preprocessing } from '../model/input/preprocessing.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { drawSag, type SagPictureOptions, shownPart } from '../visualize/sag-svg.ts';
import { sagThumbnails } from '../visualize/sag-thumbnails.ts';

/** What a graph is drawn from, besides itself. */
export interface SagPictureSource extends Omit<SagPictureOptions, 'thumbnails'> {
  /** The preprocessed picture, [1, C, H, W]. */
  readonly input: Tensor;
  readonly preprocessing: Preprocessing;
}

/**
 * A structured attention graph as an SVG file that stands alone: its thumbnails are JPEG pictures
 * inside it.
 */
export async function sagSvg(
  sag: Sag,
  { input, preprocessing, ...options }: SagPictureSource,
): Promise<string> {
  const ids = shownPart(sag, options).nodes.map(({ id }) => id);
  const thumbnails = new Map<number, string>();
  for (const [id, { width, height, data }] of sagThumbnails(sag, input, preprocessing, ids)) {
    const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 84 })
      .toBuffer();
    thumbnails.set(id, `data:image/jpeg;base64,${jpeg.toString('base64')}`);
  }
  return drawSag(sag, { ...options, thumbnails });
}

/** An SVG file as the bytes of a PNG, `scale` pixels a unit. */
export async function svgToPng(svg: string, scale = 1.5): Promise<Uint8Array> {
  return new Uint8Array(
    await sharp(Buffer.from(svg), { density: 72 * scale, limitInputPixels: false, unlimited: true })
      .png({ compressionLevel: 9, palette: false })
      .toBuffer(),
  );
}
