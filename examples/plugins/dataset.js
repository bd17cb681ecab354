/**
 * A kind of data set of your own: a CSV file with a line FILE,LABEL for each picture.
 *
 *   fovea evaluate --plugin ./dataset.js --dataset csv:labels.csv --classes predicted
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createDataset, defineReader } from 'fovea/datasets';
import { definePlugin, FoveaError, option, readImage } from 'fovea/node';
import * as v from 'valibot';

export const csv = defineReader({
  name: 'csv',
  title: 'a CSV file of pictures and labels',
  path: 'a text file with FILE,LABEL on each line',
  options: v.object({
    header: option(v.boolean(), false, 'whether the first line is a heading'),
  }),

  async open(path, { header }) {
    const text = await readFile(path, 'utf8').catch(() => {
      throw new FoveaError('usage', `the data set ${path} cannot be read: expected a CSV file`);
    });
    const rows = text
      .split(/\r?\n/)
      .filter((line) => line !== '')
      .slice(header ? 1 : 0)
      .map((line) => line.split(','));
    return createDataset({
      name: `csv:${path}`,
      length: rows.length,
      provides: ['label'],
      protocol: ['Label: the second column of the file.'],
      problems: [],
      idOf: (index) => rows[index][0],
      async read(index) {
        const [file, label] = rows[index];
        return {
          id: file,
          image: await readImage(join(dirname(path), file)),
          label: { name: label },
        };
      },
    });
  },
});

export default definePlugin({ datasets: [csv] });
