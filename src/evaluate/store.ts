import { open, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { FoveaError, messageOf } from '../errors.ts';
import { writeError } from '../node/write-file.ts';
import type { BenchmarkRecord, MapRecord, ScoreRecord } from './records.ts';

/** The name of the file of scores, of the whole or of one part. */
const fileName = (part: string | undefined): string =>
  part === undefined ? 'scores.jsonl' : `scores.${part}.jsonl`;
const isScores = (name: string): boolean => /^scores(\.[\w-]+)?\.jsonl$/.test(name);

/**
 * What puts a line at the end of a file and makes sure that it is on the disk; tests stand in for a
 * full disk here.
 */
export type AppendLine = (path: string, line: string) => Promise<void>;

async function appendLine(path: string, line: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    await file.appendFile(line);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Scores of a run, as they come: JSON lines that survive the end of the process at any moment. */
export interface ScoreStore {
  has(item: string, method: string, metric?: string): boolean;
  map(item: string, method: string): MapRecord | undefined;
  score(item: string, method: string, metric: string): ScoreRecord | undefined;
  /**
   * Adds a line.
   * @throws FoveaError `output` if it cannot be written; what was there before stays whole.
   */
  append(record: BenchmarkRecord): Promise<void>;
  maps(): readonly MapRecord[];
  scores(): readonly ScoreRecord[];
}

const keyOf = (item: string, method: string, metric = ''): string =>
  JSON.stringify([item, method, metric]);
const keyOfRecord = (record: BenchmarkRecord): string =>
  keyOf(record.item, record.method, record.kind === 'score' ? record.metric : '');

function parseLine(line: string, where: string): BenchmarkRecord {
  try {
    const record = JSON.parse(line) as BenchmarkRecord;
    if (record.kind === 'map' || record.kind === 'score') return record;
  } catch {}
  throw new FoveaError(
    'usage',
    `${where} is no score: the file is damaged; take the line out, or start in another folder`,
  );
}

/**
 * The lines of a file; a last one that was cut off by the end of the process is left out, and its
 * bytes counted.
 */
async function readLines(
  path: string,
): Promise<{ records: BenchmarkRecord[]; whole: number; torn: number }> {
  const bytes = await readFile(path);
  const whole = bytes.lastIndexOf(0x0a) + 1;
  const lines = bytes.subarray(0, whole).toString('utf8').split('\n').slice(0, -1);
  return {
    records: lines.map((line, i) => parseLine(line, `${path}, line ${i + 1}`)),
    whole,
    torn: bytes.length - whole,
  };
}

/** The names of the files of scores in a folder: that of the whole and those of parts. */
async function scoreFiles(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).filter(isScores).sort();
}

/** Whether there is a score in a folder: at least one whole line. */
export async function holdsScores(folder: string): Promise<boolean> {
  const files = await Promise.all(
    (await scoreFiles(folder)).map((name) => readFile(join(folder, name))),
  );
  return files.some((bytes) => bytes.includes(0x0a));
}

/**
 * Opens the scores of a folder, of all parts, and adds to the file of this part. A torn last line
 * of that file is cut off.
 * @throws FoveaError `usage` for a file that holds anything else, `output` if it cannot be written.
 */
export async function openStore(
  folder: string,
  part?: string,
  append: AppendLine = appendLine,
): Promise<ScoreStore> {
  const path = join(folder, fileName(part));
  const records = new Map<string, BenchmarkRecord>();
  for (const name of await scoreFiles(folder)) {
    const { records: found, whole, torn } = await readLines(join(folder, name));
    if (torn > 0 && name === fileName(part)) await truncate(join(folder, name), whole);
    for (const record of found) records.set(keyOfRecord(record), record);
  }
  const ofKind = <Kind extends BenchmarkRecord['kind']>(kind: Kind) =>
    [...records.values()].filter(
      (record): record is Extract<BenchmarkRecord, { kind: Kind }> => record.kind === kind,
    );
  return {
    has: (item, method, metric) => records.has(keyOf(item, method, metric)),
    map: (item, method) => records.get(keyOf(item, method)) as MapRecord | undefined,
    score: (item, method, metric) =>
      records.get(keyOf(item, method, metric)) as ScoreRecord | undefined,
    append: async (record) => {
      await append(path, `${JSON.stringify(record)}\n`).catch((cause: unknown) => {
        throw cause instanceof FoveaError ? cause : writeError(path, cause);
      });
      records.set(keyOfRecord(record), record);
    },
    maps: () => ofKind('map'),
    scores: () => ofKind('score'),
  };
}

/** The text of a file that may not be there. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new FoveaError('usage', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
