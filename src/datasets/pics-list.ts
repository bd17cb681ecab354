import { basename, dirname, join } from 'node:path';
import * as v from 'valibot';
import { readImage } from '../node/read-image.ts';
import { at } from '../tensor/at.ts';
import { createDataset, defineReader } from './dataset.ts';
import { hashOf, linesOf, readText } from './files.ts';

/** A picture of a list, and the class to explain there: an index, or what was taken for all. */
export interface PicsListItem {
  readonly file: string;
  readonly target: string;
}

/** What a list of pictures says: what to explain, and what is wrong with the other lines. */
export interface PicsList {
  readonly items: readonly PicsListItem[];
  readonly problems: readonly string[];
}

/**
 * Reads a list of pictures with their classes, one a line: `FILE CLASS`, the class an index. Files
 * are relative to `folder`; empty lines and lines that begin with # are left out. This is the
 * `pics.txt` of the IIA repository.
 * @param target - taken for every line instead of its class
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
        `${name}, line ${number}: expected FILE CLASS, the class an index, not "${line}"`,
      );
    else items.push({ file: join(folder, file), target: chosen });
  }
  return { items, problems };
}

/**
 * The list of pictures and classes of the IIA repository; labels are class indices of the model,
 * whatever it knows.
 */
export const picsList = defineReader({
  name: 'pics-list',
  title: 'a list of pictures and classes',
  path: 'a text file with FILE CLASS on each line, the class an index',
  options: v.object({
    images: v.pipe(
      v.optional(v.string()),
      v.description('folder of the files of the list (default: where the list is)'),
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
