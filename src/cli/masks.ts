import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { FoveaError, messageOf } from '../errors.ts';
import type { PreparedInput } from '../explain.ts';
import type { Image } from '../image/image.ts';
import { fitImage, type Preprocessing } from '../model/preprocessing.ts';
import { readImage } from '../node/read-image.ts';
import { decodeNpy } from '../tensor/npy.ts';
import { naturalOrder, stemOf } from './inputs.ts';

const EXTENSIONS = ['.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.gif', '.webp', '.npy'];

/**
 * The mask files of each picture in a folder of masks: the file with the picture's stem, or else all that are named
 * `STEM_….EXT` and are no other picture's own.
 * @throws FoveaError `usage` if the folder cannot be read.
 */
export async function findMasks(folder: string, pictures: readonly string[]): Promise<Map<string, string[]>> {
  const entries = await readdir(folder).catch((cause: unknown) => {
    throw new FoveaError('usage', `--gt-path ${folder} cannot be read as a folder: ${messageOf(cause)}`, { cause });
  });
  const masks = entries.filter((name) => EXTENSIONS.includes(extname(name).toLowerCase())).sort(naturalOrder);
  const stems = new Set(pictures.map(stemOf));
  // Of pictures cat and cat_2, the mask cat_2_0 is one of cat_2: the longest name that fits.
  const ownerOf = (mask: string) => [...stems].filter((stem) => mask.startsWith(`${stem}_`)).sort((a, b) => b.length - a.length)[0];
  const result = new Map<string, string[]>();
  for (const picture of pictures) {
    const stem = stemOf(picture);
    const own = masks.find((name) => stemOf(name) === stem);
    const parts = masks.filter((name) => !stems.has(stemOf(name)) && ownerOf(name) === stem);
    const chosen = own !== undefined ? [own] : parts;
    if (chosen.length > 0)
      result.set(
        picture,
        chosen.map((name) => join(folder, name)),
      );
  }
  return result;
}

/** JPEG blurs the edges of a mask and puts specks around them, so only what is lighter than mid grey counts there. */
const isJpeg = (path: string): boolean => /\.jpe?g$/i.test(path);

/** A mask as a picture: white where the object is, black elsewhere. */
function maskImage(width: number, height: number, isObject: (pixel: number) => boolean): Image {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) if (isObject(i)) data.fill(255, 3 * i, 3 * i + 3);
  return { width, height, data };
}

async function readMask(path: string): Promise<Image> {
  if (path.toLowerCase().endsWith('.npy')) {
    const { shape, data } = decodeNpy(await readFile(path), path);
    const sides = shape.filter((size, axis) => size !== 1 || axis >= shape.length - 2);
    if (sides.length !== 2) throw new FoveaError('image', `${path} is a mask of shape ${shape.join('×')}: expected height × width`);
    return maskImage(sides[1], sides[0], (i) => data[i] !== 0);
  }
  const { width, height, data } = await readImage(path, { background: [0, 0, 0] });
  const least = isJpeg(path) ? 128 : 1;
  return maskImage(width, height, (i) => Math.max(data[3 * i], data[3 * i + 1], data[3 * i + 2]) >= least);
}

/** The mask of a picture in the model's view of it: nearest neighbours, stretched or cropped as the picture was. */
function fitMask(mask: Image, path: string, { width, height }: PreparedInput, preprocessing: Preprocessing): Uint8Array {
  const [inputHeight, inputWidth] = preprocessing.size;
  const sees = (w: number, h: number) => mask.width === w && mask.height === h;
  if (!sees(width, height) && !sees(inputWidth, inputHeight)) {
    throw new FoveaError(
      'image',
      `${path} is ${mask.width}×${mask.height}: expected the size of the picture, ${width}×${height}, or of the model's input, ${inputWidth}×${inputHeight}`,
    );
  }
  const fitted = sees(width, height) ? fitImage(mask, { ...preprocessing, filter: 'nearest' }) : mask;
  return Uint8Array.from({ length: inputWidth * inputHeight }, (_, i) => (fitted.data[3 * i] ? 1 : 0));
}

/**
 * The union of mask files at the model's input resolution, 1 = object.
 * @throws FoveaError `image` for a file that cannot be read or does not fit the picture.
 */
export async function loadMask(paths: readonly string[], prepared: PreparedInput, preprocessing: Preprocessing): Promise<Uint8Array> {
  const union = new Uint8Array(preprocessing.size[0] * preprocessing.size[1]);
  for (const path of paths) {
    const mask = fitMask(await readMask(path), path, prepared, preprocessing);
    for (let i = 0; i < union.length; i++) union[i] |= mask[i];
  }
  return union;
}
