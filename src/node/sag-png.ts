import type { Sag } from '../methods/sag/schema.ts';
import { denormalize, type Preprocessing } from '../model/input/preprocessing.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type SagPictureOptions, shownPart } from '../visualize/sag-part.ts';
import { drawSag } from '../visualize/sag-svg.ts';
import { sagThumbnails } from '../visualize/sag-thumbnails.ts';
import { loadSharp } from './sharp.ts';
import { pictureUri } from './write-image.ts';

/** What `sagSvg` needs besides the graph. */
export interface SagPictureSource extends Omit<SagPictureOptions, 'thumbnails' | 'picture'> {
  /** The preprocessed picture, [1, C, H, W]. */
  readonly input: Tensor;
  readonly preprocessing: Preprocessing;
}

/**
 * A structured attention graph as an SVG file without links: the numbered picture and the
 * thumbnails are JPEG pictures inside it.
 */
export async function sagSvg(
  sag: Sag,
  { input, preprocessing, ...options }: SagPictureSource,
): Promise<string> {
  const ids = shownPart(sag, options).nodes.map(({ id }) => id);
  const thumbnails = new Map<number, string>();
  for (const [id, picture] of sagThumbnails(sag, input, preprocessing, ids))
    thumbnails.set(id, await pictureUri(picture, 'jpeg', 84));
  const picture = await pictureUri(denormalize(input, preprocessing), 'jpeg', 84);
  return drawSag(sag, { ...options, thumbnails, picture });
}

/** An SVG file as the bytes of a PNG, `scale` pixels per unit. */
export async function svgToPng(svg: string, scale = 1.5): Promise<Uint8Array> {
  const sharp = await loadSharp();
  return new Uint8Array(
    await sharp(Buffer.from(svg), { density: 72 * scale, limitInputPixels: false, unlimited: true })
      .png({ compressionLevel: 9, palette: false })
      .toBuffer(),
  );
}
