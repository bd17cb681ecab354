/**
 * A plane with a frame of zeros, one pixel wide, so that every pixel has eight neighbors:
 * [(height+2) · (width+2)].
 */
type Framed = Float64Array;

/**
 * The weighted sum of the neighbors of cell `p`, in rows of `s` cells: 1/6 for neighbors that share
 * a side, 1/12 for the corners.
 */
const around = (v: Framed, p: number, s: number): number =>
  (v[p - 1] + v[p + 1] + v[p - s] + v[p + s]) / 6 +
  (v[p - s - 1] + v[p - s + 1] + v[p + s - 1] + v[p + s + 1]) / 12;

/** Puts the frame around a plane. Pixels whose `known` is 0 become 0. */
function framed(value: (pixel: number) => number, known: Uint8Array, width: number): Framed {
  const result = new Float64Array((width + 2) * (known.length / width + 2));
  for (let i = 0; i < known.length; i++) if (known[i]) result[frameIndex(i, width)] = value(i);
  return result;
}

const frameIndex = (pixel: number, width: number): number =>
  (Math.floor(pixel / width) + 1) * (width + 2) + (pixel % width) + 1;

/**
 * Solves d_p x_p - around(x, p) = right_p for the cells, in place, by conjugate gradients with the
 * diagonal as preconditioner (Hestenes & Stiefel 1952). It starts from x and stops if the norm of
 * the residual is at most `tolerance` times that of the right-hand side. The vectors are planes
 * that are 0 outside the cells.
 */
function solve(
  cells: Int32Array,
  s: number,
  diagonal: Framed,
  right: Framed,
  x: Framed,
  tolerance: number,
): void {
  const [residual, direction, product] = [
    new Float64Array(x.length),
    new Float64Array(x.length),
    new Float64Array(x.length),
  ];
  let [energy, size, limit] = [0, 0, 0];
  for (const p of cells) {
    residual[p] = right[p] - diagonal[p] * x[p] + around(x, p, s);
    direction[p] = residual[p] / diagonal[p];
    energy += residual[p] * direction[p];
    size += residual[p] ** 2;
    limit += right[p] ** 2;
  }
  const n = cells.length;
  for (let step = 0; step < n && size > tolerance ** 2 * limit; step++) {
    let curvature = 0;
    for (let k = 0; k < n; k++) {
      const p = cells[k];
      const applied = diagonal[p] * direction[p] - around(direction, p, s);
      product[p] = applied;
      curvature += direction[p] * applied;
    }
    const length = energy / curvature;
    let next = 0;
    size = 0;
    for (let k = 0; k < n; k++) {
      const p = cells[k];
      x[p] += length * direction[p];
      const left = residual[p] - length * product[p];
      residual[p] = left;
      next += (left * left) / diagonal[p];
      size += left * left;
    }
    const keep = next / energy;
    for (let k = 0; k < n; k++) {
      const p = cells[k];
      direction[p] = residual[p] / diagonal[p] + keep * direction[p];
    }
    energy = next;
  }
}

/**
 * A first guess for the unknown pixels: the solution of the same problem at half the resolution. A
 * block of 2 × 2 pixels is known if at least one of its pixels is known, and its value is their
 * mean. Each pixel takes 9/16 of its own block, 3/16 of each of the two blocks beside it, and 1/16
 * of the diagonal block. Conjugate gradients are slow at carrying values across large holes, and
 * the coarse grids do this part (Deuflhard's cascadic conjugate gradients, 1994).
 */
function guess(
  plane: Float32Array,
  known: Uint8Array,
  height: number,
  width: number,
  tolerance: number,
): Float32Array {
  const [h, w] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const [sums, counts] = [new Float32Array(h * w), new Float32Array(h * w)];
  for (let i = 0; i < plane.length; i++) {
    if (!known[i]) continue;
    const block = (Math.floor(i / width) >> 1) * w + ((i % width) >> 1);
    sums[block] += plane[i];
    counts[block]++;
  }
  const means = sums.map((sum, k) => (counts[k] > 0 ? sum / counts[k] : 0));
  const coarse = imputePlane(
    means,
    Uint8Array.from(counts, (count) => (count > 0 ? 1 : 0)),
    h,
    w,
    tolerance,
  );
  return plane.map((value, i) => {
    if (known[i]) return value;
    const [y, x] = [Math.floor(i / width), i % width];
    const [top, left] = [y >> 1, x >> 1];
    const beside = Math.min(w - 1, Math.max(0, left + (x % 2 ? 1 : -1)));
    const below = Math.min(h - 1, Math.max(0, top + (y % 2 ? 1 : -1)));
    return (
      (9 * coarse[top * w + left] +
        3 * (coarse[top * w + beside] + coarse[below * w + left]) +
        coarse[below * w + beside]) /
      16
    );
  });
}

/** One plane of `imputeLinearly`. */
function imputePlane(
  plane: Float32Array,
  known: Uint8Array,
  height: number,
  width: number,
  tolerance: number,
): Float32Array {
  const missing = Int32Array.from(known.keys()).filter((pixel) => !known[pixel]);
  if (missing.length === 0) return plane;
  const s = width + 2;
  const cells = missing.map((pixel) => frameIndex(pixel, width));
  const inside = framed(() => 1, new Uint8Array(known.length).fill(1), width);
  const given = framed((i) => plane[i], known, width);
  const [diagonal, right] = [new Float64Array(inside.length), new Float64Array(inside.length)];
  for (const p of cells) {
    diagonal[p] = around(inside, p, s);
    right[p] = around(given, p, s);
  }
  const start = guess(plane, known, height, width, tolerance);
  const unknown = known.map((value) => 1 - value);
  const x = framed((i) => start[i], unknown, width);
  solve(cells, s, diagonal, right, x, tolerance);
  const result = plane.slice();
  missing.forEach((pixel, k) => (result[pixel] = x[cells[k]]));
  return result;
}

/**
 * Fills the unknown pixels of planes [channels · height · width]. Pixel i is known if known[i] is
 * not 0. Each unknown pixel becomes the weighted mean of its neighbors inside the picture, with
 * weights of 1/6 for the four neighbors that share a side and 1/12 for the corners:
 *
 *   x_i sum_j w_ij = sum_j w_ij x_j
 *
 * At least one pixel must be known. `tolerance` is the relative error of the equations. For a
 * photograph, the ROAD score at 1e-3 differs by 1e-4 from the score at 1e-6 and takes less than
 * half the time. Source: Rong et al., A Consistent and Efficient Evaluation Strategy for
 * Attribution Methods, ICML 2022.
 */
export function imputeLinearly(
  planes: Float32Array,
  known: Uint8Array,
  height: number,
  width: number,
  tolerance = 1e-3,
): Float32Array {
  const result = new Float32Array(planes.length);
  for (let from = 0; from < planes.length; from += known.length) {
    result.set(
      imputePlane(planes.subarray(from, from + known.length), known, height, width, tolerance),
      from,
    );
  }
  return result;
}
