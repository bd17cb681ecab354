import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { selectSamples } from '../datasets/index.ts';
import { evaluationOf, folder, four } from './fixtures/left-half.ts';
import { createGallery } from './gallery.ts';
import { scoresParquet } from './parquet.ts';
import { evaluationReport } from './report.ts';
import { claimFolder } from './resume.ts';
import { runEvaluation } from './run.ts';
import { settingsOf } from './settings.ts';
import { openStore } from './store.ts';
import { summarise } from './summarise.ts';

describe('the results of a run', () => {
  it('name the selected pictures, which may change when a run is resumed', async () => {
    const three = evaluationOf(selectSamples(four(), { limit: 3 }));
    const store = await openStore(folder);
    await claimFolder(folder, settingsOf(three), false);
    await runEvaluation(three, store);
    const said = 'Pictures: the first 3 of 4 samples.';
    expect(await readFile(join(folder, 'run.json'), 'utf8')).toContain(said);
    expect(
      evaluationReport(summarise(three, store, []), await createGallery(three, store, 1)),
    ).toContain(said);
    await claimFolder(folder, settingsOf(evaluationOf(four())), true);
    expect(await readFile(join(folder, 'run.json'), 'utf8')).not.toContain(said);
  });

  it('are a table with means, intervals and ranks, a Parquet file, and a page', async () => {
    const evaluation = evaluationOf(four());
    const store = await openStore(folder);
    await runEvaluation(evaluation, store);
    const summary = summarise(evaluation, store, []);
    const values = store
      .scores()
      .filter(({ method, metric }) => method === 'random' && metric === 'iou')
      .map(({ value }) => value as number);
    const cell = summary.table.find(
      ({ method, metric }) => method === 'random' && metric === 'iou',
    );
    expect(cell?.value).toBeCloseTo(values.reduce((a, b) => a + b) / 4, 12);
    expect(cell?.interval?.[0]).toBeGreaterThanOrEqual(Math.min(...values));
    expect(cell?.interval?.[1]).toBeLessThanOrEqual(Math.max(...values));
    expect(
      summary.table
        .filter(({ metric }) => metric === 'iou')
        .map(({ rank }) => rank)
        .sort(),
    ).toEqual([1, 2]);
    expect(summary.curves.find(({ method }) => method === 'occlusion')?.x).toEqual([
      0, 0.25, 0.5, 0.75, 1,
    ]);

    const bytes = await scoresParquet(store);
    const rows = await parquetReadObjects({ file: bytes.buffer as ArrayBuffer });
    expect(rows).toHaveLength(16);
    expect(rows[0]).toMatchObject({
      item: 'a',
      method: 'occlusion',
      metric: 'deletion',
      preset: 'custom',
      target_index: 0,
      target_label: 'left',
      reason: null,
    });
    expect(rows.map(({ value }) => value)).toEqual(store.scores().map(({ value }) => value));

    const gallery = await createGallery(evaluation, store, 2);
    expect(gallery.rows).toHaveLength(2);
    expect(gallery.rows[0].cells.map(({ title }) => title)).toEqual([
      'mask outlined',
      'occlusion',
      'random',
    ]);
    const page = evaluationReport(summary, gallery);
    expect(page).not.toMatch(/(src|href)="(?!data:)/);
    expect(page).toContain('deletion ↓');
    expect(page).toContain('iou\u00a0↑');
    expect(page).toContain('<svg viewBox="0 0 460 300" role="img"');
    expect(page).toContain('random (control)');
  });
});
