import { open } from 'node:fs/promises';
import type { File, Group, Dataset as Hdf5Dataset, Reference } from 'h5wasm/node';
import { FoveaError, messageOf } from '../errors.ts';
import { loadOptional } from '../node/optional-package.ts';

type Hdf5 = typeof import('h5wasm/node');

/** An array of numbers of an HDF5 file. Its axes are those of MATLAB in reverse order. */
export interface NumberArray {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** One MATLAB v7.3 file, open for as long as the process runs. */
export interface MatFile {
  /** The names in a group such as `/value`; empty if it is not a group. */
  keysOf(path: string): string[];
  /**
   * The object references of a MATLAB cell array of any shape, in order.
   * @throws FoveaError `image` if the path is not such a cell array.
   */
  referencesOf(path: string): Reference[];
  /**
   * The array of numbers that a reference points to. If it is in a cell, the cell is opened.
   * @param most - the largest number of elements that is read
   * @throws FoveaError `image` if there is no array, or if it is larger (before it is read).
   */
  arrayOf(reference: Reference, most: number): NumberArray;
}

const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

/** No cell array of a picture data set has more entries. */
const MOST_REFERENCES = 10_000_000;

/** Most levels of cells in cells: one is usual, and a cell that contains itself would never end. */
const MOST_CELLS_AROUND = 8;

/**
 * Whether a file is HDF5: its signature is at the start, or after a header of 512 bytes as in
 * MATLAB's files.
 * @throws FoveaError `usage` if the file cannot be opened.
 */
async function isHdf5(path: string, expected: string): Promise<boolean> {
  const file = await open(path).catch((cause: unknown) => {
    throw new FoveaError('usage', `${path} cannot be read: ${expected} (${messageOf(cause)})`, {
      cause,
    });
  });
  try {
    const { buffer } = await file.read(Buffer.alloc(520), 0, 520, 0);
    return [0, 512].some((at) => buffer.subarray(at, at + SIGNATURE.length).equals(SIGNATURE));
  } catch {
    return false; // a folder
  } finally {
    await file.close();
  }
}

/** The number of elements of a shape; Infinity for an HDF5 data set without a shape. */
const countOf = (shape: readonly number[] | null | undefined): number =>
  shape?.reduce((product, size) => product * size, 1) ?? Number.POSITIVE_INFINITY;

/**
 * Why HDF5 failed, in its own words: the innermost of the calls that its page of diagnostics
 * lists, `#003: H5Z.c line 1373 in H5Z_pipeline(): filter returned failure`.
 */
export function hdf5Reason(cause: unknown): string {
  const text = messageOf(cause);
  const reasons = [...text.matchAll(/ in \w+\(\): ([^\n]+)/g)];
  return reasons.at(-1)?.[1] ?? text.split('\n', 1).join('');
}

/**
 * Loads the HDF5 library and makes it throw errors instead of printing a page per error to stderr.
 */
async function loadHdf5(): Promise<Hdf5> {
  const hdf5 = await loadOptional({
    name: 'h5wasm',
    purpose: 'reading a MATLAB v7.3 file',
    load: () => import('h5wasm/node'),
  });
  (await hdf5.ready).activate_throwing_error_handler();
  return hdf5;
}

function matFile(file: File, { Reference }: Hdf5): MatFile {
  const isReference = (value: unknown): value is Reference => value instanceof Reference;
  const arrayOf = (reference: Reference, most: number, cells = MOST_CELLS_AROUND): NumberArray => {
    const target = file.dereference(reference) as Partial<Hdf5Dataset> | null;
    const count = countOf(target?.shape);
    if (!target?.shape || count > most)
      throw new FoveaError(
        'image',
        `an array has the shape ${target?.shape?.join('×') ?? 'unknown'}: expected at most ` +
          `${most} numbers`,
      );
    const { shape, value } = target;
    const [first] = Array.isArray(value) ? value : [];
    if (isReference(first) && cells > 0) return arrayOf(first, most, cells - 1);
    if (!ArrayBuffer.isView(value) || value instanceof DataView)
      throw new FoveaError('image', 'a cell does not contain an array of numbers');
    const isBig = value instanceof BigInt64Array || value instanceof BigUint64Array;
    return { shape, data: isBig ? Float64Array.from(value, Number) : value };
  };
  return {
    arrayOf,
    keysOf: (path) => {
      const group = file.get(path) as Partial<Group> | null;
      return group?.keys?.() ?? [];
    },
    referencesOf(path) {
      const cell = file.get(path) as Partial<Hdf5Dataset> | null;
      const isLarge = countOf(cell?.shape) > MOST_REFERENCES;
      const values = isLarge ? [] : [cell?.value ?? []].flat(8);
      if (values.length === 0 || !values.every(isReference))
        throw new FoveaError('image', `${path} is not a cell array of references`);
      return values;
    },
  };
}

/**
 * Opens a MATLAB v7.3 file. Loads the HDF5 library only after it has checked that the file is HDF5.
 * @param expected - the end of messages: `expected gtsegs_ijcv.mat`
 * @throws FoveaError `usage` if it cannot be read or is not HDF5, `unsupported` if the HDF5 library
 * is not installed.
 */
export async function openMatFile(path: string, expected: string): Promise<MatFile> {
  if (!(await isHdf5(path, expected)))
    throw new FoveaError('usage', `${path} is not a MATLAB v7.3 file (HDF5): ${expected}`);
  const hdf5 = await loadHdf5();
  try {
    return matFile(new hdf5.File(path, 'r'), hdf5);
  } catch (cause) {
    const sentence = `${path} is a damaged MATLAB v7.3 file (${hdf5Reason(cause)})`;
    throw new FoveaError('usage', sentence, { cause });
  }
}
