import { join, sep } from 'node:path';
import * as v from 'valibot';
import { FoveaError } from '../errors.ts';
import { readImage } from '../node/read-image.ts';
import { at } from '../tensor/at.ts';
import { createDataset, defineReader } from './dataset.ts';
import { findPictures, naturalOrder, readFolder } from './files.ts';
import { findMasks, readMasks } from './mask-files.ts';

/** The folder directly below the root that contains a file. */
const classFolder = (file: string): string | undefined => {
  const parts = file.split(/[\\/]/);
  return parts.length > 1 ? parts[0] : undefined;
};

/** A path as an id: without extension, folders joined by dots. */
const idOf = (file: string): string => file.replace(/\.[^.]*$/, '').replaceAll(/[\\/]/g, '.');

/**
 * The ids of files. If two files would share an id (cat.jpg, cat.png), their ids keep the
 * extensions.
 */
function idsOf(files: readonly string[]): string[] {
  const count = new Map<string, number>();
  for (const file of files) count.set(idOf(file), (count.get(idOf(file)) ?? 0) + 1);
  return files.map((file) =>
    (count.get(idOf(file)) ?? 0) > 1 ? file.replaceAll(/[\\/]/g, '.') : idOf(file),
  );
}

/**
 * Reads a folder of pictures at any depth. If every picture is in a folder below it
 * (`FOLDER/CLASS/…`), that folder's name is the label: a label of the model, or a class index.
 * `masks` is a folder of masks: `STEM.EXT`, or all `STEM_*.EXT`, for the picture STEM. A picture
 * without a mask file has no mask.
 */
export const imageFolder = defineReader({
  name: 'image-folder',
  title: 'a folder of pictures',
  path: 'a folder of pictures, or a folder with one folder per class',
  options: v.object({
    masks: v.pipe(
      v.optional(v.string()),
      v.description(
        'folder of masks: STEM.png, or STEM_*.png, for the picture STEM; black is background',
      ),
    ),
  }),

  async open(path, { masks }) {
    await readFolder(path, 'the folder of pictures');
    const files = (await findPictures(path)).sort(naturalOrder);
    const ids = idsOf(files);
    const maskFiles =
      masks === undefined ? new Map<string, string[]>() : await findMasks(masks, files);
    const labelled = files.length > 0 && files.every((file) => classFolder(file) !== undefined);
    if (masks !== undefined && maskFiles.size === 0 && files.length > 0) {
      throw new FoveaError(
        'usage',
        `${masks} contains no mask for the pictures of ${path}: expected STEM.png or STEM_*.png, ` +
          `as in ${ids[0]}.png`,
      );
    }
    return createDataset({
      name: `image-folder:${path}`,
      length: files.length,
      provides: [
        ...(labelled ? (['label'] as const) : []),
        ...(masks === undefined ? [] : (['mask'] as const)),
      ],
      protocol: [
        ...(labelled ? ['Label: the name of the folder that contains the picture.'] : []),
        ...(masks === undefined
          ? []
          : [`Mask: every pixel of the mask files that is not black (${masks}${sep}STEM*).`]),
      ],
      problems: [],
      idOf: (i) => at(ids, i),
      async read(i) {
        const file = at(files, i);
        const image = await readImage(join(path, file));
        const label = labelled ? classFolder(file) : undefined;
        const paths = maskFiles.get(file);
        return {
          id: at(ids, i),
          image,
          ...(label !== undefined && { label: { name: label } }),
          ...(paths && { mask: await readMasks(paths, image) }),
        };
      },
    });
  },
});
