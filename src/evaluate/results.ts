import { join } from 'node:path';
import { writeFileAtomic } from '../node/write-file.ts';
import { createGallery } from './gallery.ts';
import { scoresParquet } from './parquet.ts';
import type { Evaluation } from './records.ts';
import { evaluationReport } from './report.ts';
import type { ScoreStore } from './store.ts';
import type { Summary } from './summarise.ts';

/** The paths of the files of results. */
export interface ResultFiles {
  /** `report.html`: one page that needs no other file. */
  readonly report: string;
  /** `summary.json`: the numbers of the page, and every setting. */
  readonly summary: string;
  /** `scores.parquet`: one row per score. */
  readonly scores: string;
}

/**
 * Writes `scores.parquet`, `summary.json` and `report.html` to a folder.
 * @param gallery - number of pictures in the report: those on which the methods disagree most
 * @throws FoveaError `output` if a file cannot be written, `unsupported` if hyparquet-writer is not
 * installed.
 */
export async function writeResults(
  evaluation: Evaluation,
  folder: string,
  store: ScoreStore,
  summary: Summary,
  gallery: number,
): Promise<ResultFiles> {
  const files = {
    report: join(folder, 'report.html'),
    summary: join(folder, 'summary.json'),
    scores: join(folder, 'scores.parquet'),
  };
  await writeFileAtomic(files.scores, await scoresParquet(store));
  await writeFileAtomic(files.summary, `${JSON.stringify(summary, null, 2)}\n`);
  const pictures = await createGallery(evaluation, store, gallery);
  await writeFileAtomic(files.report, evaluationReport(summary, pictures));
  return files;
}
