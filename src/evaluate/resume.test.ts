import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../datasets/dataset.ts';
import { openDataset } from '../datasets/index.ts';
import { evaluationOf, folder, four, method } from './fixtures/left-half.ts';
import { claimFolder } from './resume.ts';
import { settingsOf } from './settings.ts';

describe('claimFolder', () => {
  it('needs --resume for a folder with scores, and the same settings', async () => {
    const settings = settingsOf(evaluationOf(four()));
    await claimFolder(folder, { ...settings, seed: 9 }, false); // it ended before its first score
    await writeFile(join(folder, 'scores.jsonl'), '{"kind":"map","item"');
    await claimFolder(folder, settings, true);
    await expect(claimFolder(folder, { ...settings, seed: 9 }, false, true)).rejects.toThrow(
      'seed was 0, now 9',
    );
    await writeFile(join(folder, 'scores.jsonl'), '{"kind":"map"}\n');
    await claimFolder(folder, settings, false, true);
    await expect(claimFolder(folder, settings, false)).rejects.toThrow('add --resume');
    await claimFolder(folder, settings, true);
    await expect(claimFolder(folder, { ...settings, seed: 1 }, true)).rejects.toThrow(
      'made with other settings: seed was 0, now 1',
    );
    const other = settingsOf(
      evaluationOf(four(), {
        methods: [method('occlusion', { window: 8, stride: 4 })],
      }),
    );
    await expect(claimFolder(folder, other, true)).rejects.toThrow('options of occlusion was');
    const more = settingsOf(evaluationOf(four(), { methods: [method('centre')] }));
    await claimFolder(folder, more, true);
    expect(
      Object.keys(JSON.parse(await readFile(join(folder, 'run.json'), 'utf8')).methods),
    ).toEqual(['occlusion', 'random', 'centre']);
  });

  const list = (images: string) => openDataset(`pics-list:${join(folder, 'pics.txt')}`, { images });
  const claim = async (dataset: Dataset) =>
    claimFolder(folder, settingsOf(evaluationOf(dataset)), true);

  it('needs the same folder of pictures and the same labels', async () => {
    await writeFile(join(folder, 'pics.txt'), 'one.png 0\n');
    await writeFile(join(folder, 'scores.jsonl'), '{"kind":"map"}\n');
    await claim(await list('a'));
    await claim(await list('a'));
    await expect(claim(await list('b'))).rejects.toThrow(
      'settings of the data set was {"images":"a"}, now {"images":"b"}',
    );
    await writeFile(join(folder, 'pics.txt'), 'one.png 1\n');
    await expect(claim(await list('a'))).rejects.toThrow(
      'SHA-256 of the index of the data set was "',
    );
  });
});
