import { join } from 'node:path';
import * as v from 'valibot';
import { readImage } from '../node/read-image.ts';
import { at } from '../tensor/at.ts';
import { createDataset, defineReader } from './dataset.ts';
import { fileByStem, hashOf, linesOf, readFolder, readText, stemOf } from './files.ts';
import { readMasks } from './mask-files.ts';

interface Entry {
  readonly file: string;
  readonly index: number;
  readonly name: string;
}

/** `FILE <tab> IMAGENET INDEX <tab> WORDNET ID <tab> NAME` */
function parseLine(text: string): Entry | undefined {
  const [file, index, , name = ''] = text.split('\t');
  if (!file || index === undefined || !/^\d{1,3}$/.test(index)) return undefined;
  return { file, index: Number(index), name: name.replaceAll('_', ' ') || index };
}

/**
 * Reads pictures with one kind of object each, masks and ImageNet labels: `images/`,
 * `masks/STEM.png` (0 is background, everything else is the object) and `labels.txt` with FILE,
 * ImageNet index, WordNet id and NAME, separated by tabs. A picture without a mask file has no
 * mask.
 */
export const objects = defineReader({
  name: 'objects',
  title: 'single objects with masks and ImageNet labels',
  path: 'a folder with images/, masks/ and labels.txt',
  options: v.object({}),

  async open(path) {
    const text = await readText(join(path, 'labels.txt'), 'the list of pictures');
    const masks = fileByStem(await readFolder(join(path, 'masks'), 'the folder of masks'));
    const entries: Entry[] = [];
    const problems: string[] = [];
    for (const { number, text: line } of linesOf(text)) {
      const entry = parseLine(line);
      if (entry) entries.push(entry);
      else
        problems.push(
          `${join(path, 'labels.txt')}, line ${number}: expected FILE, ImageNet index 0 to ` +
            '999, WordNet id and name between tabs',
        );
    }
    return createDataset({
      name: `objects:${path}`,
      length: entries.length,
      provides: ['label', 'mask'],
      classes: 'imagenet',
      protocol: ['Mask: every pixel of the object file that is not black.'],
      index: await hashOf(text),
      problems,
      idOf: (i) => stemOf(at(entries, i).file),
      async read(i) {
        const { file, index, name } = at(entries, i);
        const image = await readImage(join(path, 'images', file));
        const mask = masks.get(stemOf(file));
        return {
          id: stemOf(file),
          image,
          label: { name, indices: [index] },
          ...(mask && { mask: await readMasks([join(path, 'masks', mask)], image) }),
        };
      },
    });
  },
});
