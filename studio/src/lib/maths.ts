import type { Region, Tensor } from 'fovea/web';

/** `12.3%`, `<0.1%` */
export function percent(share: number | undefined): string {
  if (share === undefined || Number.isNaN(share)) return '–';
  if (share > 0 && share < 0.001) return '<0.1%';
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
}

/** Two decimals, and no minus in front of zero. */
export const decimals = (value: number): string => (Math.round(100 * value) / 100 || 0).toFixed(2);

/** A label without its synonyms: `tench` of `tench, Tinca tinca`. */
export const shortLabel = (label: string | undefined): string => (label ?? '').split(',')[0] ?? '';

/** Means over the cells of a coarse grid, for comparisons that need not be exact to the pixel. */
function coarse({ shape: [height = 0, width = 0], data }: Tensor, side: number): Float64Array {
  const sums = new Float64Array(side * side);
  const counts = new Float64Array(side * side);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * side) / height) * side;
    for (let x = 0; x < width; x++) {
      const cell = row + Math.floor((x * side) / width);
      sums[cell] = (sums[cell] ?? 0) + (data[y * width + x] ?? 0);
      counts[cell] = (counts[cell] ?? 0) + 1;
    }
  }
  return sums.map((sum, i) => sum / Math.max(1, counts[i] ?? 1));
}

/** Ranks from 0; equal values share the mean of their ranks. */
function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort(
    (a, b) => (values[a] ?? 0) - (values[b] ?? 0),
  );
  const result = new Float64Array(values.length);
  for (let i = 0; i < order.length; ) {
    let j = i;
    while (j + 1 < order.length && values[order[j + 1] ?? 0] === values[order[i] ?? 0]) j++;
    for (let k = i; k <= j; k++) result[order[k] ?? 0] = (i + j) / 2;
    i = j + 1;
  }
  return result;
}

/** Pearson's correlation; 0 if one of the lists does not vary. */
function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = Math.min(a.length, b.length);
  let [sumA, sumB] = [0, 0];
  for (let i = 0; i < n; i++) {
    sumA += a[i] ?? 0;
    sumB += b[i] ?? 0;
  }
  let [product, squareA, squareB] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [x, y] = [(a[i] ?? 0) - sumA / n, (b[i] ?? 0) - sumB / n];
    product += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  return squareA > 0 && squareB > 0 ? product / Math.sqrt(squareA * squareB) : 0;
}

const COARSE = 28;

const coarseMaps = new WeakMap<Tensor, Float64Array>();

/** The means of a map over 28 × 28 cells; computed once for each map. */
export function coarseOf(map: Tensor): Float64Array {
  const known = coarseMaps.get(map) ?? coarse(map, COARSE);
  coarseMaps.set(map, known);
  return known;
}

const coarseRanks = new WeakMap<Tensor, Float64Array>();

function ranksOfCells(map: Tensor): Float64Array {
  const known = coarseRanks.get(map) ?? ranks(coarseOf(map));
  coarseRanks.set(map, known);
  return known;
}

/** Spearman's rank correlation of two maps over a grid of 28 × 28 cells. */
export function likeness(a: Tensor, b: Tensor): number {
  return pearson(ranksOfCells(a), ranksOfCells(b));
}

/** Most pixels of a map, as a power of two, so that a key has room for a pixel's index. */
const ROOM = 2 ** 20;

/**
 * The pixels of a map, largest value first; ties by index. The bits of a float32 are in the order of
 * its values once negative ones are turned around. With the index behind them they are one number,
 * which sorts much faster than a comparison that looks values up.
 */
export function pixelOrder({ data }: Tensor): Uint32Array {
  const bits = new Uint32Array(data.map((value) => value + 0).buffer); // -0 becomes 0
  const keys = Float64Array.from(bits, (word, i) => {
    const rising = word >>> 31 ? ~word >>> 0 : (word | 0x80000000) >>> 0;
    return (0xffffffff - rising) * ROOM + i;
  });
  return Uint32Array.from(keys.sort(), (key) => key % ROOM);
}

/** The rank of each pixel in an order: 0 for the first. */
export function ranksOf(order: Uint32Array): Int32Array {
  const result = new Int32Array(order.length);
  for (let rank = 0; rank < order.length; rank++) result[order[rank] ?? 0] = rank;
  return result;
}

/** The part of each pixel when a picture is cut into rows × columns tiles, [H · W]. */
export function tiles(height: number, width: number, rows: number, columns: number): Int32Array {
  const labels = new Int32Array(height * width);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      labels[y * width + x] =
        Math.floor((y * rows) / height) * columns + Math.floor((x * columns) / width);
  return labels;
}

/**
 * A map that covers one part of a picture, brought to a grid over another part by the nearest cell.
 * Places that the map does not cover have no evidence: 0.
 */
export function aligned(
  { shape: [height = 1, width = 1], data }: Tensor,
  from: Region,
  to: Region,
  [rows = 1, columns = 1]: readonly number[],
): Tensor {
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const y = to.top + ((row + 0.5) * to.height) / rows;
    const r = Math.floor(((y - from.top) * height) / from.height);
    for (let column = 0; column < columns; column++) {
      const x = to.left + ((column + 0.5) * to.width) / columns;
      const c = Math.floor(((x - from.left) * width) / from.width);
      const isCovered = r >= 0 && r < height && c >= 0 && c < width;
      result[row * columns + column] = isCovered ? (data[r * width + c] ?? 0) : 0;
    }
  }
  return { shape: [rows, columns], data: result };
}

/** One map minus another of the same size. */
export function difference(a: Tensor, b: Tensor): Tensor {
  return { shape: a.shape, data: a.data.map((value, i) => value - (b.data[i] ?? 0)) };
}
