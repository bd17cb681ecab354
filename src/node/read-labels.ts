import { readFile, stat } from 'node:fs/promises';
import { FoveaError, messageOf } from '../errors.ts';
import { parseLabels } from '../model/files/parse-labels.ts';

/** The largest file of labels, in bytes. The labels of ImageNet-21k have 1 MB. */
const MOST_BYTES = 32 * 2 ** 20;

/**
 * Reads the labels of a model from a file: one per line, or JSON (see `parseLabels`). @throws
 * FoveaError `usage` if the file cannot be read or contains no such list.
 */
export async function readLabels(path: string): Promise<string[]> {
  let text: string;
  try {
    const entry = await stat(path);
    if (!entry.isFile() || entry.size > MOST_BYTES)
      throw new Error(entry.isFile() ? `it has ${entry.size} bytes` : 'it is not a file');
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const what = isMissing ? 'does not exist' : `cannot be read: ${messageOf(cause)}`;
    throw new FoveaError('usage', `the file of labels ${path} ${what}`, { cause });
  }
  return parseLabels(text, path);
}
