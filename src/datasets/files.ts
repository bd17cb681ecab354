import { readdir, readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { glob } from 'tinyglobby';
import { FoveaError, messageOf } from '../errors.ts';
import { sha256 } from '../sha256.ts';

/** Extensions of picture files. */
export const PICTURE_EXTENSIONS = ['jpg', 'jpeg', 'png', 'webp', 'avif', 'tif', 'tiff', 'gif'];

const order = new Intl.Collator('en', { numeric: true }).compare;

/** Compares names: `a2` is before `a10`, and names that differ only in case have a fixed order. */
export function naturalOrder(a: string, b: string): number {
  return order(a, b) || (a < b ? -1 : Number(a > b));
}

/** The name of a file without folder and extension. */
export function stemOf(path: string): string {
  return basename(path, extname(path));
}

/** All pictures below a folder, to any depth, relative to it. */
export async function findPictures(folder: string): Promise<string[]> {
  return glob(`**/*.{${PICTURE_EXTENSIONS.join(',')}}`, {
    cwd: folder,
    caseSensitiveMatch: false,
    onlyFiles: true,
    expandDirectories: false,
  });
}

/**
 * Reads a text file that a data set needs.
 * @throws FoveaError `usage` naming the file and what it is to the data set.
 */
export async function readText(path: string, what: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/^\uFEFF/, '');
  } catch (cause) {
    throw new FoveaError('usage', `${path}, ${what}, cannot be read: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/** The SHA-256 of a text. */
export const hashOf = (text: string): Promise<string> => sha256(new TextEncoder().encode(text));

/**
 * The names in a folder that a data set needs, in natural order.
 * @throws FoveaError `usage` naming the folder and what it is to the data set.
 */
export async function readFolder(path: string, what: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort(naturalOrder);
  } catch (cause) {
    throw new FoveaError('usage', `${path}, ${what}, cannot be read: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

function reasonOf(cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'it does not exist';
  if (code === 'ENOTDIR') return 'it is not a folder';
  if (code === 'EISDIR') return 'it is a folder';
  return messageOf(cause);
}

/** Lines of a text that are neither empty nor comments (#), with their numbers from 1. */
export function linesOf(text: string): { readonly number: number; readonly text: string }[] {
  return text
    .split(/\r?\n/)
    .flatMap((line, i) => (/^\s*(#|$)/.test(line) ? [] : [{ number: i + 1, text: line.trim() }]));
}

/** Files by their stems, whatever their endings; of several with one stem, the first. */
export function fileByStem(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.toReversed().map((name) => [stemOf(name), name]));
}
