import { readMask } from '../datasets/mask-files.ts';
import { FoveaError } from '../errors.ts';
import type { Mask } from '../image/mask.ts';
import { fitMask, type Preprocessing } from '../model/input/preprocessing.ts';
import type { PreparedInput } from '../prepare-input.ts';

/**
 * The mask of a picture at the model's input size: stretched or cropped as the picture was, or
 * unchanged if it has that size already.
 */
function fitTo(
  mask: Mask,
  path: string,
  { width, height }: PreparedInput,
  preprocessing: Preprocessing,
): Uint8Array {
  const [inputHeight, inputWidth] = preprocessing.size;
  if (mask.width === width && mask.height === height) return fitMask(mask, preprocessing);
  if (mask.width === inputWidth && mask.height === inputHeight) return mask.data;
  throw new FoveaError(
    'image',
    `${path} is ${mask.width}×${mask.height}: expected the size of the picture, ` +
      `${width}×${height}, or of the model's input, ${inputWidth}×${inputHeight}`,
  );
}

/**
 * The union of mask files at the model's input resolution, 1 = object.
 * @throws FoveaError `image` for a file that cannot be read or does not fit the picture.
 */
export async function loadMask(
  paths: readonly string[],
  prepared: PreparedInput,
  preprocessing: Preprocessing,
): Promise<Uint8Array> {
  const union = new Uint8Array(preprocessing.size[0] * preprocessing.size[1]);
  for (const path of paths) {
    const mask = fitTo(await readMask(path), path, prepared, preprocessing);
    for (const [i, value] of mask.entries()) if (value !== 0) union[i] = 1;
  }
  return union;
}
