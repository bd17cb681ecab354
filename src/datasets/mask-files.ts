import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { FoveaError, messageOf } from '../errors.ts';
import { createMask, type Mask } from '../image/mask.ts';
import { readImage } from '../node/read-image.ts';
import { at } from '../tensor/at.ts';
import { decodeNpy } from '../tensor/npy.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { fileByStem, readFolder, stemOf } from './files.ts';

const EXTENSIONS = ['.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.gif', '.webp', '.npy'];

/**
 * The picture that a mask `STEM_…` is a part of. With pictures cat and cat_2, the mask cat_2_0
 * belongs to cat_2: the longest matching name wins.
 */
function ownerOf(mask: string, stems: ReadonlySet<string>): string | undefined {
  for (let end = mask.lastIndexOf('_'); end > 0; end = mask.lastIndexOf('_', end - 1)) {
    const stem = mask.slice(0, end);
    if (stems.has(stem)) return stem;
  }
  return undefined;
}

/**
 * The mask files of each picture in a folder of masks: the file with the picture's stem, or else
 * all files `STEM_….EXT` that do not belong to another picture.
 * @throws FoveaError `usage` if the folder cannot be read.
 */
export async function findMasks(
  folder: string,
  pictures: readonly string[],
): Promise<Map<string, string[]>> {
  const masks = (await readFolder(folder, 'the folder of masks')).filter((name) =>
    EXTENSIONS.includes(extname(name).toLowerCase()),
  );
  const stems = new Set(pictures.map(stemOf));
  const own = fileByStem(masks);
  const parts = new Map<string, string[]>();
  for (const name of masks) {
    const owner = stems.has(stemOf(name)) ? undefined : ownerOf(name, stems);
    if (owner !== undefined) parts.set(owner, [...(parts.get(owner) ?? []), name]);
  }
  const result = new Map<string, string[]>();
  for (const picture of pictures) {
    const stem = stemOf(picture);
    const whole = own.get(stem);
    const chosen = whole === undefined ? (parts.get(stem) ?? []) : [whole];
    if (chosen.length > 0)
      result.set(
        picture,
        chosen.map((name) => join(folder, name)),
      );
  }
  return result;
}

/**
 * JPEG blurs the edges of a mask and adds specks around them, so in a JPEG only pixels lighter than
 * mid grey count.
 */
const isJpeg = (path: string): boolean => /\.jpe?g$/i.test(path);

async function readBytes(path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause: unknown) => {
    throw new FoveaError('image', `${path} cannot be read: ${messageOf(cause)}`, { cause });
  });
}

/** Reads an array. If it is damaged, only this sample fails, not the run. */
async function readArray(path: string): Promise<Tensor> {
  const bytes = await readBytes(path);
  try {
    return decodeNpy(bytes, path);
  } catch (cause) {
    throw new FoveaError('image', messageOf(cause), { cause });
  }
}

/**
 * Reads a mask file: a picture or a `.npy` array. Every value except 0 (black) is inside; in a
 * JPEG, every value from mid grey up.
 * @throws FoveaError `image` if it cannot be read.
 */
export async function readMask(path: string): Promise<Mask> {
  if (path.toLowerCase().endsWith('.npy')) {
    const { shape, data } = await readArray(path);
    const sides = shape.filter((size, axis) => size !== 1 || axis >= shape.length - 2);
    if (sides.length !== 2)
      throw new FoveaError(
        'image',
        `${path} is a mask of shape ${shape.join('×')}: expected height × width`,
      );
    const [rows, columns] = [at(sides, 0), at(sides, 1)];
    return createMask(columns, rows, (i) => data[i] !== 0);
  }
  const { width, height, data } = await readImage(path, { background: [0, 0, 0] });
  const least = isJpeg(path) ? 128 : 1;
  return createMask(width, height, (i) => Math.max(...data.subarray(3 * i, 3 * i + 3)) >= least);
}

/**
 * The union of several mask files.
 * @throws FoveaError `image` if a mask cannot be read, or its size is not that of the picture.
 */
export async function readMasks(
  paths: readonly string[],
  { width, height }: { readonly width: number; readonly height: number },
): Promise<Mask> {
  const masks = await Promise.all(paths.map(readMask));
  const index = masks.findIndex((mask) => mask.width !== width || mask.height !== height);
  const odd = masks[index];
  if (odd)
    throw new FoveaError(
      'image',
      `${paths[index]} is ${odd.width}×${odd.height}: expected the size of the picture, ` +
        `${width}×${height}`,
    );
  return createMask(width, height, (i) => masks.some(({ data }) => data[i] !== 0));
}
