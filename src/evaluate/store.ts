import { open, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { FoveaError, messageOf } from '../errors.ts';
import { writeError } from '../node/write-file.ts';
import type { EvaluationRecord, MapRecord, ScoreRecord } from './records.ts';
import { parseRecord } from './stored-json.ts';

/** The name of the file of scores: of the whole data set, or of one part. */
const fileName = (part: string | undefined): string =>
  part === undefined ? 'scores.jsonl' : `scores.${part}.jsonl`;
const isScores = (name: string): boolean => /^scores(\.[\w-]+)?\.jsonl$/.test(name);

/**
 * Appends a line to a file and waits until it is on the disk. Tests pass a function that fails as a
 * full disk does.
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

/** The scores of a run, one JSON object per line. The file is valid whenever the process ends. */
export interface ScoreStore {
  has(item: string, method: string, metric?: string): boolean;
  map(item: string, method: string): MapRecord | undefined;
  score(item: string, method: string, metric: string): ScoreRecord | undefined;
  /**
   * Adds a line.
   * @throws FoveaError `output` if it cannot be written; the earlier lines stay intact.
   */
  append(record: EvaluationRecord): Promise<void>;
  maps(): readonly MapRecord[];
  scores(): readonly ScoreRecord[];
}

const keyOf = (item: string, method: string, metric = ''): string =>
  JSON.stringify([item, method, metric]);
const keyOfRecord = (record: EvaluationRecord): string =>
  keyOf(record.item, record.method, record.kind === 'score' ? record.metric : '');

function recordOf(line: string, where: string): EvaluationRecord {
  const { value, problems } = parseRecord(line);
  if (!problems) return value;
  throw new FoveaError(
    'usage',
    `${where} is not a score (${problems.join('; ')}): the file is damaged; take the line out, ` +
      'or start in another folder',
  );
}

/**
 * The records of a file. An incomplete last line, from a process that was killed, is left out;
 * `torn` is the number of its bytes.
 */
async function readLines(
  path: string,
): Promise<{ records: EvaluationRecord[]; whole: number; torn: number }> {
  const bytes = await readFile(path);
  const whole = bytes.lastIndexOf(0x0a) + 1;
  const lines = bytes.subarray(0, whole).toString('utf8').split('\n').slice(0, -1);
  return {
    records: lines.map((line, i) => recordOf(line, `${path}, line ${i + 1}`)),
    whole,
    torn: bytes.length - whole,
  };
}

/** The names of the files of scores in a folder: of the whole data set and of its parts. */
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

/** A store that starts with the given records; `save` writes each new one. */
function storeOf(
  records: Map<string, EvaluationRecord>,
  save: (record: EvaluationRecord) => Promise<void>,
): ScoreStore {
  const ofKind = <Kind extends EvaluationRecord['kind']>(kind: Kind) =>
    [...records.values()].filter(
      (record): record is Extract<EvaluationRecord, { kind: Kind }> => record.kind === kind,
    );
  const find = <Kind extends EvaluationRecord['kind']>(kind: Kind, key: string) => {
    const record = records.get(key);
    return record?.kind === kind
      ? (record as Extract<EvaluationRecord, { kind: Kind }>)
      : undefined;
  };
  return {
    has: (item, method, metric) => records.has(keyOf(item, method, metric)),
    map: (item, method) => find('map', keyOf(item, method)),
    score: (item, method, metric) => find('score', keyOf(item, method, metric)),
    append: async (record) => {
      await save(record);
      records.set(keyOfRecord(record), record);
    },
    maps: () => ofKind('map'),
    scores: () => ofKind('score'),
  };
}

/** A store that keeps scores in memory only. */
export function createMemoryStore(): ScoreStore {
  return storeOf(new Map(), async () => {});
}

/** The path of the file of scores of a folder, or of one part of it. */
export const scoresPath = (folder: string, part?: string): string => join(folder, fileName(part));

/**
 * Opens the scores of a folder, those of all parts. New records go to the file of this part. An
 * incomplete last line of that file is removed.
 * @throws FoveaError `usage` for a line that is not a record, `output` if the file cannot be
 * written.
 */
export async function openStore(
  folder: string,
  part?: string,
  append: AppendLine = appendLine,
): Promise<ScoreStore> {
  const path = scoresPath(folder, part);
  const records = new Map<string, EvaluationRecord>();
  for (const name of await scoreFiles(folder)) {
    const { records: found, whole, torn } = await readLines(join(folder, name));
    if (torn > 0 && name === fileName(part)) await truncate(join(folder, name), whole);
    for (const record of found) records.set(keyOfRecord(record), record);
  }
  return storeOf(records, async (record) => {
    await append(path, `${JSON.stringify(record)}\n`).catch((cause: unknown) => {
      throw cause instanceof FoveaError ? cause : writeError(path, cause);
    });
  });
}

/**
 * The text of a file; undefined if there is none.
 * @throws FoveaError `usage` if it cannot be read.
 */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new FoveaError('usage', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
