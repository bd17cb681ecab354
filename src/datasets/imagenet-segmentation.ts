import * as v from 'valibot';
import { FoveaError } from '../errors.ts';
import { type Image, image } from '../image/image.ts';
import type { Mask } from '../image/mask.ts';
import { createDataset, defineReader } from './dataset.ts';
import { hdf5Reason, type MatFile, type NumberArray, openMatFile } from './hdf5.ts';

/** The largest picture that is read: 100 million pixels with three numbers each. */
const MOST_NUMBERS = 300e6;
/** The longest name of a picture that is read. */
const MOST_LETTERS = 1000;

/** The size of a picture or mask. The last two axes are width and height. */
function sizeOf(shape: readonly number[]): { width: number; height: number } {
  const [height, width, colours] = shape.toReversed();
  const isPicture = colours === undefined || (colours === 3 && shape.length === 3);
  if (!width || !height || !isPicture)
    throw new FoveaError(
      'image',
      `an array of shape ${shape.join('×')}: expected width×height or 3×width×height`,
    );
  return { width, height };
}

/**
 * A picture from an array [3, width, height] (MATLAB: height × width × 3), or from a grey one
 * [width, height].
 */
function pictureOf({ shape, data }: NumberArray): Image {
  const { width, height } = sizeOf(shape);
  const plane = shape.length === 3 ? width * height : 0;
  const pixels = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return at(data, (i % 3) * plane + (pixel % width) * height + Math.floor(pixel / width));
  });
  return image(width, height, pixels);
}

/** A mask from an array [width, height]: every value except 0 is the object. */
function maskOf({ shape, data }: NumberArray): Mask {
  const { width, height } = sizeOf(shape);
  const mask = Uint8Array.from({ length: width * height }, (_, i) =>
    at(data, (i % width) * height + Math.floor(i / width)) === 0 ? 0 : 1,
  );
  return { width, height, data: mask };
}

/** Entry `index` of a list that is known to be long enough. */
function at<Value>(list: ArrayLike<Value>, index: number): Value {
  const value = list[index];
  if (value === undefined) throw new FoveaError('image', 'an array is shorter than its shape says');
  return value;
}

const textOf = ({ data }: NumberArray): string => String.fromCharCode(...Array.from(data));

async function openFile(path: string): Promise<MatFile> {
  const file = await openMatFile(path, 'expected gtsegs_ijcv.mat of ImageNet-Segmentation');
  if (
    readItem(
      path,
      0,
      () => file.keysOf('/').includes('value') && file.keysOf('/value').includes('img'),
    )
  )
    return file;
  throw new FoveaError(
    'usage',
    `${path} has no /value/img: expected gtsegs_ijcv.mat of ImageNet-Segmentation`,
  );
}

/**
 * Runs the function that reads a sample. An error of the HDF5 library becomes an error of this
 * sample.
 */
function readItem<Result>(path: string, index: number, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    const sentence = `${path}, picture ${index + 1}: ${hdf5Reason(cause)}`;
    throw new FoveaError('image', sentence, { cause });
  }
}

/**
 * Reads ImageNet-Segmentation (Guillaumin, Küttel & Ferrari 2014), `gtsegs_ijcv.mat`: cell arrays
 * /value/img and /value/gt, and /value/id if there is one. The file stays open as long as the
 * process runs.
 */
export const imagenetSegmentation = defineReader({
  name: 'imagenet-segmentation',
  title: 'ImageNet-Segmentation (gtsegs_ijcv.mat)',
  path: 'a MATLAB v7.3 file, gtsegs_ijcv.mat',
  options: v.object({}),

  async open(path) {
    const file = await openFile(path);
    const references = (name: string) =>
      readItem(path, 0, () => file.referencesOf(`/value/${name}`));
    const [images, masks] = [references('img'), references('gt')];
    const names = file.keysOf('/value').includes('id') ? references('id') : [];
    const count = Math.min(images.length, masks.length);
    const ids = Array.from({ length: count }, (_, i) => {
      const reference = names[i];
      const name =
        reference && readItem(path, i, () => textOf(file.arrayOf(reference, MOST_LETTERS)));
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
              `${path} has ${images.length} pictures and ${masks.length} masks: the rest is ` +
                'left out',
            ],
      idOf: (i) => at(ids, i),
      async read(i) {
        return readItem(path, i, () => {
          const [picture, mask] = [
            pictureOf(file.arrayOf(at(images, i), MOST_NUMBERS)),
            maskOf(file.arrayOf(at(masks, i), MOST_NUMBERS)),
          ];
          if (mask.width !== picture.width || mask.height !== picture.height) {
            throw new FoveaError(
              'image',
              `the mask is ${mask.width}×${mask.height}, the picture ` +
                `${picture.width}×${picture.height}`,
            );
          }
          return { id: at(ids, i), image: picture, mask };
        });
      },
    });
  },
});
