import { basename, dirname, join } from 'node:path';
import * as v from 'valibot';
import { readImage } from '../node/read-image.ts';
import { at } from '../tensor/at.ts';
import { createDataset, defineReader } from './dataset.ts';
import { hashOf, linesOf, readText } from './files.ts';

/**
 * A picture of a list, and the class to explain: an index, or the target that was set for all
 * pictures.
 */
export interface PicsListItem {
  readonly file: string;
  readonly target: string;
}

/** A parsed list of pictures: the items to explain, and the problems of the other lines. */
export interface PicsList {
  readonly items: readonly PicsListItem[];
  readonly problems: readonly string[];
}

/**
 * Parses a list of pictures with their classes, one per line: `FILE CLASS`, where CLASS is a class
 * index. Files are relative to `folder`. Empty lines and lines that begin with # are ignored.
 * `pics.txt` of the IIA repository has this format.
 * @param target - replaces the class of every line
 */
export function parsePicsList(
  text: string,
  name: string,
  folder: string,
  target?: string,
): PicsList {
  const items: PicsListItem[] = [];
  const problems: string[] = [];
  for (const { number, text: line } of linesOf(text)) {
    const last = line.split(/\s+/).at(-1) ?? '';
    const hasIndex = /^\d+$/.test(last) && last.length < line.length;
    const file = hasIndex ? line.slice(0, -last.length).trimEnd() : line;
    const chosen = target ?? (hasIndex ? last : undefined);
    if (chosen === undefined)
      problems.push(
        `${name}, line ${number}: expected FILE CLASS with a class index, not "${line}"`,
      );
    else items.push({ file: join(folder, file), target: chosen });
  }
  return { items, problems };
}

/**
 * Reads the list of pictures and classes of the IIA repository. Labels are class indices of any
 * model.
 */
export const picsList = defineReader({
  name: 'pics-list',
  title: 'a list of pictures and classes',
  path: 'a text file with FILE CLASS on each line, where CLASS is a class index',
  options: v.object({
    images: v.pipe(
      v.optional(v.string()),
      v.description('folder of the files of the list (default: the folder of the list)'),
    ),
  }),

  async open(path, { images }) {
    const text = await readText(path, 'the list of pictures');
    const { items, problems } = parsePicsList(text, path, images ?? dirname(path));
    return createDataset({
      name: `pics-list:${path}`,
      length: items.length,
      provides: ['label'],
      protocol: ['Label: the class index of the line.'],
      index: await hashOf(text),
      problems,
      // A list may name a picture twice, with different classes.
      idOf: (i) => `${i + 1}.${basename(at(items, i).file)}`,
      async read(i) {
        const { file, target } = at(items, i);
        return {
          id: `${i + 1}.${basename(file)}`,
          image: await readImage(file),
          label: { name: `class ${target}`, indices: [Number(target)] },
        };
      },
    });
  },
});
