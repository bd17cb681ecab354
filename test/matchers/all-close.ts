import { expect } from 'vitest';

/** Numbers in any of the forms that tests have them: a tensor, an array, or nested arrays. */
export type Numbers = number | ArrayLike<number> | Shaped | readonly Numbers[];

/** What `toBeAllClose` reads of a tensor. */
interface Shaped {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** How far two arrays may be apart. */
export interface Tolerance {
  /** Allowed difference relative to the expected value; default 1e-5. */
  readonly rtol?: number;
  /** Allowed absolute difference; default 1e-6. */
  readonly atol?: number;
  /**
   * Instead of every value, the whole: the largest allowed |actual - expected| / |expected| in the
   * Euclidean norm.
   */
  readonly l2?: number;
}

declare module 'vitest' {
  interface Matchers<T> {
    /**
     * Every value is within `atol + rtol · |expected|` of the expected one, and the shapes agree:
     * exactly where both have one, in the number of values where one is flat. NaN is close to
     * nothing. With `l2` the Euclidean norm of the difference is compared instead.
     */
    toBeAllClose(expected: T extends Numbers ? Numbers : never, tolerance?: Tolerance): void;
  }
}

interface Flat {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

const isShaped = (x: unknown): x is Shaped =>
  typeof x === 'object' && x !== null && 'shape' in x && 'data' in x;
const isTyped = (x: unknown): x is ArrayLike<number> =>
  ArrayBuffer.isView(x) && !(x instanceof DataView);

/** The values of `x` in row-major order, and their shape. */
function flatten(x: unknown): Flat {
  if (typeof x === 'number') return { shape: [], values: [x] };
  if (isShaped(x)) return { shape: x.shape, values: x.data };
  if (isTyped(x)) return { shape: [x.length], values: x };
  if (!Array.isArray(x)) throw new TypeError(`toBeAllClose: ${String(x)} has no numbers`);
  const rows = x.map(flatten);
  const inner = rows[0]?.shape ?? [];
  if (rows.some(({ shape }) => shape.join() !== inner.join()))
    throw new TypeError('toBeAllClose: nested arrays of different lengths');
  return { shape: [x.length, ...inner], values: rows.flatMap(({ values }) => Array.from(values)) };
}

const shapeText = ({ shape }: Flat): string => `[${shape.join(', ')}]`;
const fits = (a: Flat, b: Flat): boolean =>
  a.shape.join() === b.shape.join() ||
  ((a.shape.length < 2 || b.shape.length < 2) && a.values.length === b.values.length);

/** The indices of value `i` of an array of `shape`. */
function place(shape: readonly number[], i: number): string {
  const indices: number[] = [];
  let rest = i;
  for (const size of shape.toReversed()) {
    indices.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${indices.join(', ')}]`;
}

interface Comparison {
  /** Values that are too far apart. */
  readonly wrong: number;
  readonly largest: number;
  /** Where the largest difference is. */
  readonly at: number;
  /** |a - b| / |b| in the Euclidean norm. */
  readonly l2: number;
}

/** Keeps an infinite expected value from allowing any difference. */
const HUGE = Number.MAX_VALUE;

function compare(a: ArrayLike<number>, b: ArrayLike<number>, rtol: number, atol: number) {
  let [wrong, largest, at, squares, norm] = [0, 0, 0, 0, 0];
  for (let i = 0; i < b.length; i++) {
    const difference = a[i] === b[i] ? 0 : Math.abs(a[i] - b[i]);
    const isClose = difference === 0 || difference <= atol + rtol * Math.min(Math.abs(b[i]), HUGE);
    if (!isClose) wrong++;
    if (difference > largest || (Number.isNaN(difference) && !Number.isNaN(largest)))
      [largest, at] = [difference, i];
    squares += difference ** 2;
    norm += b[i] ** 2;
  }
  return { wrong, largest, at, l2: squares === 0 ? 0 : Math.sqrt(squares / norm) };
}

/** The largest difference, where it is, and the two values there. */
function report({ wrong, largest, at, l2 }: Comparison, actual: Flat, expected: Flat): string {
  const shape = actual.shape.length >= expected.shape.length ? actual.shape : expected.shape;
  const [a, b] = [actual.values[at], expected.values[at]];
  return [
    `shapes ${shapeText(actual)} and ${shapeText(expected)}`,
    `${wrong} of ${expected.values.length} values differ too much`,
    `largest difference ${largest.toPrecision(4)} at ${place(shape, at)}: ${a}, expected ${b}`,
    `relative difference in the Euclidean norm ${l2.toPrecision(4)}`,
  ].join('\n  ');
}

expect.extend({
  toBeAllClose(received: unknown, wanted: unknown, tolerance: Tolerance = {}) {
    const { rtol = 1e-5, atol = 1e-6, l2 } = tolerance;
    const [actual, expected] = [flatten(received), flatten(wanted)];
    if (!fits(actual, expected))
      return {
        pass: false,
        message: () => `expected shape ${shapeText(expected)}, got ${shapeText(actual)}`,
      };
    const found = compare(actual.values, expected.values, rtol, atol);
    if (process.env.FOVEA_ERRORS)
      console.log(`${this.currentTestName}: largest ${found.largest}, l2 ${found.l2}`);
    const pass = l2 === undefined ? found.wrong === 0 : found.l2 <= l2;
    const limit = l2 === undefined ? `rtol ${rtol}, atol ${atol}` : `l2 ${l2}`;
    const not = this.isNot ? 'not ' : '';
    return {
      pass,
      message: () =>
        `expected numbers ${not}to be all close (${limit})\n  ${report(found, actual, expected)}`,
    };
  },
});
