import { open } from 'node:fs/promises';
import { File, type Group, type Dataset as Hdf5Dataset, Reference, ready } from 'h5wasm/node';
import { z } from 'zod';
import { FoveaError, messageOf } from '../errors.ts';
import { type Image, image } from '../image/image.ts';
import type { Mask } from '../image/mask.ts';
import { createDataset, defineReader } from './dataset.ts';

/** The object references of a MATLAB cell array of any shape, in order. */
function referencesOf(file: File, path: string): Reference[] {
  const cell = file.get(path) as Hdf5Dataset | null;
  const values = [cell?.value ?? []].flat(8);
  if (values.length === 0 || !values.every((value) => value instanceof Reference))
    throw new FoveaError('image', `${path} is no cell array of references`);
  return values as Reference[];
}

/** The array behind a reference; a cell around it is opened. MATLAB's axes are reversed in HDF5. */
function arrayOf(
  file: File,
  reference: Reference,
): { shape: readonly number[]; data: ArrayLike<number> } {
  const target = file.dereference(reference) as unknown as Hdf5Dataset | null;
  const value = target?.value;
  if (Array.isArray(value) && value[0] instanceof Reference) return arrayOf(file, value[0]);
  if (!target?.shape || !ArrayBuffer.isView(value))
    throw new FoveaError('image', 'a cell holds no array of numbers');
  return { shape: target.shape, data: value as unknown as ArrayLike<number> };
}

/** [3, width, height] (MATLAB: height × width × 3) as a picture; [width, height] is grey. */
function pictureOf({ shape, data }: ReturnType<typeof arrayOf>): Image {
  const [width, height] = shape.slice(-2);
  const plane = shape.length === 3 ? width * height : 0;
  if (shape.length === 3 && shape[0] !== 3)
    throw new FoveaError('image', `a picture of shape ${shape.join('×')}: expected 3×width×height`);
  const pixels = new Uint8Array(3 * width * height);
  for (let i = 0; i < pixels.length; i++) {
    const [c, pixel] = [i % 3, Math.floor(i / 3)];
    pixels[i] = data[c * plane + (pixel % width) * height + Math.floor(pixel / width)];
  }
  return image(width, height, pixels);
}

/** [width, height] as a mask: anything but 0 is the object. */
function maskOf({ shape, data }: ReturnType<typeof arrayOf>): Mask {
  const [width, height] = shape.slice(-2);
  const mask = Uint8Array.from({ length: width * height }, (_, i) =>
    data[(i % width) * height + Math.floor(i / width)] ? 1 : 0,
  );
  return { width, height, data: mask };
}

const textOf = ({ data }: ReturnType<typeof arrayOf>): string =>
  String.fromCharCode(...Array.from(data));

const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

/**
 * Whether a file is HDF5: its signature stands at the start, or behind a header of 512 bytes as in
 * MATLAB's files.
 */
async function isHdf5(path: string): Promise<boolean> {
  const file = await open(path).catch((cause: unknown) => {
    throw new FoveaError(
      'usage',
      `${path} cannot be read: expected gtsegs_ijcv.mat (${messageOf(cause)})`,
      { cause },
    );
  });
  try {
    const { buffer } = await file.read(Buffer.alloc(520), 0, 520, 0);
    return [0, 512].some((at) => buffer.subarray(at, at + SIGNATURE.length).equals(SIGNATURE));
  } catch {
    return false; // a folder
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<File> {
  if (!(await isHdf5(path)))
    throw new FoveaError(
      'usage',
      `${path} is no MATLAB v7.3 file (HDF5): expected gtsegs_ijcv.mat of ImageNet-Segmentation`,
    );
  await ready;
  const file = new File(path, 'r');
  if (file.keys().includes('value') && (file.get('value') as Group).keys().includes('img'))
    return file;
  file.close();
  throw new FoveaError(
    'usage',
    `${path} has no /value/img: expected gtsegs_ijcv.mat of ImageNet-Segmentation`,
  );
}

/** Runs what reads a sample; whatever the HDF5 library has to say is about this sample. */
function readItem<Result>(path: string, index: number, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw new FoveaError('image', `${path}, picture ${index + 1}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * ImageNet-Segmentation (Guillaumin, Küttel & Ferrari 2014), `gtsegs_ijcv.mat`: cell arrays
 * /value/img and /value/gt, and /value/id where there is one. The file stays open as long as the
 * process runs.
 */
export const imagenetSegmentation = defineReader({
  name: 'imagenet-segmentation',
  title: 'ImageNet-Segmentation (gtsegs_ijcv.mat)',
  path: 'a MATLAB v7.3 file, gtsegs_ijcv.mat',
  options: z.object({}),

  async open(path) {
    const file = await openFile(path);
    const references = (name: string) =>
      readItem(path, 0, () => referencesOf(file, `/value/${name}`));
    const [images, masks] = [references('img'), references('gt')];
    const names = (file.get('value') as Group).keys().includes('id') ? references('id') : [];
    const count = Math.min(images.length, masks.length);
    const ids = Array.from({ length: count }, (_, i) => {
      const name = names[i] && readItem(path, i, () => textOf(arrayOf(file, names[i])));
      return [String(i + 1).padStart(String(count).length, '0'), name?.replaceAll(/[^\w.-]/g, '_')]
        .filter(Boolean)
        .join('.');
    });
    return createDataset({
      name: `imagenet-segmentation:${path}`,
      length: count,
      provides: ['mask'],
      protocol: ['Mask: every pixel that is not 0.'],
      problems:
        images.length === masks.length
          ? []
          : [
              `${path} has ${images.length} pictures and ${masks.length} masks: the rest is left out`,
            ],
      idOf: (i) => ids[i],
      async read(i) {
        return readItem(path, i, () => {
          const picture = pictureOf(arrayOf(file, images[i]));
          const mask = maskOf(arrayOf(file, masks[i]));
          if (mask.width !== picture.width || mask.height !== picture.height) {
            throw new FoveaError(
              'image',
              `the mask is ${mask.width}×${mask.height}, the picture ${picture.width}×${picture.height}`,
            );
          }
          return { id: ids[i], image: picture, mask };
        });
      },
    });
  },
});
