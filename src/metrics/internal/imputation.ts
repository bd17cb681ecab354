/** Conjugate gradients stop when the residual has shrunk to this share of the right-hand side. */
const TOLERANCE = 1e-4;

/** A plane with a frame of zeros one pixel wide around it, so that every pixel has eight neighbours: [(height+2) · (width+2)]. */
type Framed = Float64Array;

/** The weighted sum of the neighbours of cell `p` in rows of `s`: 1/6 for those that share a side, 1/12 for the corners. */
const around = (v: Framed, p: number, s: number): number =>
  (v[p - 1] + v[p + 1] + v[p - s] + v[p + s]) / 6 + (v[p - s - 1] + v[p - s + 1] + v[p + s - 1] + v[p + s + 1]) / 12;

/** Puts the frame around a plane; where `known` is 0 the value is 0. */
function framed(value: (pixel: number) => number, known: Uint8Array, width: number): Framed {
  const result = new Float64Array((width + 2) * (known.length / width + 2));
  for (let i = 0; i < known.length; i++) if (known[i]) result[frameIndex(i, width)] = value(i);
  return result;
}

const frameIndex = (pixel: number, width: number): number => (Math.floor(pixel / width) + 1) * (width + 2) + (pixel % width) + 1;

/**
 * Solves d_p x_p - around(x, p) = right_p for the cells by conjugate gradients, preconditioned by the diagonal (Hestenes &
 * Stiefel 1952), starting from x. The vectors are planes that are 0 outside the cells.
 */
function solve(cells: Int32Array, s: number, diagonal: Framed, right: Framed, x: Framed): void {
  const [residual, direction, product] = [new Float64Array(x.length), new Float64Array(x.length), new Float64Array(x.length)];
  let [energy, size, limit] = [0, 0, 0];
  for (const p of cells) {
    residual[p] = right[p] - diagonal[p] * x[p] + around(x, p, s);
    direction[p] = residual[p] / diagonal[p];
    energy += residual[p] * direction[p];
    size += residual[p] ** 2;
    limit += right[p] ** 2;
  }
  for (let step = 0; step < cells.length && size > TOLERANCE ** 2 * limit; step++) {
    let curvature = 0;
    for (const p of cells) {
      product[p] = diagonal[p] * direction[p] - around(direction, p, s);
      curvature += direction[p] * product[p];
    }
    const length = energy / curvature;
    let next = 0;
    size = 0;
    for (const p of cells) {
      x[p] += length * direction[p];
      residual[p] -= length * product[p];
      next += residual[p] ** 2 / diagonal[p];
      size += residual[p] ** 2;
    }
    for (const p of cells) direction[p] = residual[p] / diagonal[p] + (next / energy) * direction[p];
    energy = next;
  }
}

/**
 * A first guess of the pixels that are not known: the mean of what is known in the smallest block of 2ⁿ × 2ⁿ around each.
 * Large holes start near their answer, where conjugate gradients alone would carry values in pixel by pixel.
 */
function guess(plane: Float32Array, known: Uint8Array, height: number, width: number): Float32Array {
  if (known.every((value) => value !== 0)) return plane;
  const [h, w] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const [sums, counts] = [new Float32Array(h * w), new Float32Array(h * w)];
  const block = (i: number) => (Math.floor(i / width) >> 1) * w + ((i % width) >> 1);
  for (let i = 0; i < plane.length; i++) {
    if (!known[i]) continue;
    sums[block(i)] += plane[i];
    counts[block(i)]++;
  }
  const coarse = guess(
    sums.map((sum, k) => (counts[k] > 0 ? sum / counts[k] : 0)),
    Uint8Array.from(counts, (count) => (count > 0 ? 1 : 0)),
    h,
    w,
  );
  return plane.map((value, i) => (known[i] ? value : coarse[block(i)]));
}

/**
 * Planes [channels · height · width] with the pixels that are not `known` (0) filled in so that each is the weighted mean
 * of its neighbours inside the picture, 1/6 for the four that share a side and 1/12 for the corners:
 *
 *   x_i sum_j w_ij = sum_j w_ij x_j
 *
 * At least one pixel has to be known.
 * Source: Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution Methods, ICML 2022, section 4.2.
 */
export function imputeLinearly(planes: Float32Array, known: Uint8Array, height: number, width: number): Float32Array {
  const s = width + 2;
  const missing = Int32Array.from(known.keys()).filter((pixel) => !known[pixel]);
  const unknown = known.map((value) => 1 - value);
  const cells = missing.map((pixel) => frameIndex(pixel, width));
  const inside = framed(() => 1, new Uint8Array(known.length).fill(1), width);
  const diagonal = new Float64Array(inside.length);
  for (const p of cells) diagonal[p] = around(inside, p, s);
  const result = planes.slice();
  for (let from = 0; from < planes.length; from += known.length) {
    const plane = planes.subarray(from, from + known.length);
    const given = framed((i) => plane[i], known, width);
    const right = new Float64Array(given.length);
    for (const p of cells) right[p] = around(given, p, s);
    const start = guess(plane, known, height, width);
    const x = framed((i) => start[i], unknown, width);
    solve(cells, s, diagonal, right, x);
    missing.forEach((pixel, k) => (result[from + pixel] = x[cells[k]]));
  }
  return result;
}
