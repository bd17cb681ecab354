// @ts-check
/** The results file: one row per line. */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** @import { Row } from './types.mjs' */

/** Rows by key. An incomplete last line is skipped. @returns {Map<string, Row>} */
export function readResults(/** @type {string} */ path) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  if (!existsSync(path)) return rows;
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    try {
      const row = JSON.parse(line);
      if (typeof row?.key === 'string') rows.set(row.key, row);
    } catch {} // an incomplete line of an interrupted run
  }
  return rows;
}

/** Appends a row. If the last line is incomplete, starts a new line first. */
export function appendResult(/** @type {string} */ path, /** @type {Row} */ row) {
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, `${endsInLine(path) ? '' : '\n'}${JSON.stringify(row)}\n`);
}

function endsInLine(/** @type {string} */ path) {
  if (!existsSync(path)) return true;
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const last = Buffer.alloc(1);
    return size === 0 || (readSync(file, last, 0, 1, size - 1) === 1 && last[0] === 10);
  } finally {
    closeSync(file);
  }
}
