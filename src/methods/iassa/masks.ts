import type { Random } from '../../tensor/random.ts';
import type { CellGrid } from '../shared/smooth-regression.ts';

/** A picture of 224 pixels has 28 × 28 cells of 8 pixels: the first stride S0 of the paper. */
const CELLS = 28;
/** The side of the first windows, as a share of the shorter side: the paper's W0 of 45 in 224. */
export const WINDOW = 45 / 224;

/**
 * The grid on which effects are estimated: 28 cells along the shorter side, or one per pixel if
 * there are fewer pixels, and square cells as far as possible.
 */
export function cellGridOf(height: number, width: number): CellGrid {
  const side = Math.min(CELLS, height, width) / Math.min(height, width);
  return { height: Math.round(height * side), width: Math.round(width * side) };
}

/** How much of each of n cells a segment covers, 0 … 1. */
const covered = (n: number, from: number, to: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => Math.max(0, Math.min(i + 1, to) - Math.max(i, from)));

/**
 * Masks that hide one window each: at most `count` square windows, evenly spaced over the picture.
 * Their side is that of the paper's first windows, or larger, so that they cover the whole picture.
 */
export function hiddenWindows({ height, width }: CellGrid, count: number): Float32Array[] {
  const shorter = Math.min(height, width);
  const across = Math.max(1, Math.floor(Math.sqrt(count / ((height * width) / shorter ** 2))));
  const [rows, columns] = [height, width].map((side) =>
    Math.max(1, Math.floor((across * side) / shorter)),
  ) as [number, number];
  const side = Math.max(WINDOW * shorter, height / rows, width / columns);
  const segments = (n: number, steps: number) =>
    Array.from({ length: steps }, (_, i) => {
      const middle = ((i + 0.5) * n) / steps;
      return covered(n, middle - side / 2, middle + side / 2);
    });
  const [down, right] = [segments(height, rows), segments(width, columns)];
  return down.flatMap((y) =>
    right.map((x) =>
      Float32Array.from(
        { length: height * width },
        (_, i) => 1 - y[Math.floor(i / width)] * x[i % width],
      ),
    ),
  );
}

/**
 * A smooth random mask [height · width], 0 … 1, as in RISE: a coarse grid of `side` cells along the
 * shorter side, each shown with probability `share`, upsampled linearly at a random shift.
 */
export function randomMask(
  { height, width }: CellGrid,
  side: number,
  share: number,
  random: Random,
): Float32Array {
  const scale = side / Math.min(height, width);
  const columns = Math.ceil(width * scale) + 2;
  const rows = Math.ceil(height * scale) + 2;
  const shown = Float32Array.from({ length: rows * columns }, () =>
    random.uniform() < share ? 1 : 0,
  );
  const [down, right] = [random.uniform(), random.uniform()];
  return Float32Array.from({ length: height * width }, (_, i) => {
    const y = (Math.floor(i / width) + 0.5) * scale + down;
    const x = ((i % width) + 0.5) * scale + right;
    const corner = Math.floor(y) * columns + Math.floor(x);
    const [v, u] = [y - Math.floor(y), x - Math.floor(x)];
    const at = (offset: number) => shown[corner + offset];
    const top = at(0) * (1 - u) + at(1) * u;
    const bottom = at(columns) * (1 - u) + at(columns + 1) * u;
    return top * (1 - v) + bottom * v;
  });
}
