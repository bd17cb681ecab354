import { join } from 'node:path';
import type { ExplainItem } from './explain-files.ts';

/** What a list of pictures says: what to explain, and what is wrong with the other lines. */
export interface PicsList {
  readonly items: readonly ExplainItem[];
  readonly problems: readonly string[];
}

/**
 * Reads a list of pictures with their classes, one a line: `FILE CLASS`, the class an index. Files are relative to
 * `folder`; empty lines and lines that begin with # are left out. This is the `pics.txt` of the IIA repository.
 * @param target - taken for every line instead of its class
 */
export function parsePicsList(text: string, name: string, folder: string, target?: string): PicsList {
  const items: ExplainItem[] = [];
  const problems: string[] = [];
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (const [i, line] of lines.entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, file, index] = /^\s*(.+?)(?:\s+(\d+))?\s*$/.exec(line) ?? [];
    if (index === undefined && target === undefined) problems.push(`${name}, line ${i + 1}: expected FILE CLASS, the class an index, not "${line.trim()}"`);
    else items.push({ file: join(folder, file), target: target ?? index });
  }
  return { items, problems };
}
