import { join } from 'node:path';
import { writeFileAtomic } from '../node/write-file.ts';
import { createGallery } from './gallery.ts';
import { scoresParquet } from './parquet.ts';
import type { Benchmark } from './records.ts';
import { benchmarkReport } from './report.ts';
import type { Problem } from './run.ts';
import type { ScoreStore } from './store.ts';
import { type Summary, summarise } from './summarise.ts';

/**
 * Puts all scores together and writes `scores.parquet`, `summary.json` and `report.html` to the
 * benchmark's folder.
 * @param gallery - Pictures shown in the report, those first on which the methods disagree most;
 * default 12.
 * @throws FoveaError `output` if a file cannot be written.
 */
export async function writeResults(
  benchmark: Benchmark,
  store: ScoreStore,
  problems: readonly Problem[],
  gallery = 12,
): Promise<Summary> {
  const summary = summarise(benchmark, store, problems);
  const files = {
    'scores.parquet': await scoresParquet(store),
    'summary.json': `${JSON.stringify(summary, null, 2)}\n`,
    'report.html': benchmarkReport(summary, await createGallery(benchmark, store, gallery)),
  };
  for (const [name, bytes] of Object.entries(files))
    await writeFileAtomic(join(benchmark.folder, name), bytes);
  return summary;
}
