/** The eight neighbours of a pixel, as (dy, dx, weight): 1/6 for those that share a side, 1/12 for the corners. */
const NEIGHBOURS = [-1, 0, 1].flatMap((dy) =>
  [-1, 0, 1].flatMap((dx): [number, number, number][] => (dy === 0 && dx === 0 ? [] : [[dy, dx, dy === 0 || dx === 0 ? 1 / 6 : 1 / 12]])),
);

/** Conjugate gradients stop when the residual has shrunk to this share of the right-hand side. */
const TOLERANCE = 1e-5;

/** The equations of the missing pixels: neighbours among themselves (index, -1 for none) and the diagonal. */
interface System {
  readonly missing: Int32Array;
  /** [n · 8], the position among the missing pixels of each neighbour; -1 where it is known or beyond the border. */
  readonly links: Int32Array;
  /** Sum of the weights of the neighbours inside the picture, [n]. */
  readonly diagonal: Float64Array;
}

function systemOf(known: Uint8Array, height: number, width: number): System {
  const missing = Int32Array.from(known.keys()).filter((pixel) => !known[pixel]);
  const place = new Int32Array(known.length).fill(-1);
  missing.forEach((pixel, k) => (place[pixel] = k));
  const links = new Int32Array(8 * missing.length).fill(-1);
  const diagonal = new Float64Array(missing.length);
  missing.forEach((pixel, k) => {
    const [y, x] = [Math.floor(pixel / width), pixel % width];
    NEIGHBOURS.forEach(([dy, dx, weight], j) => {
      if (y + dy < 0 || y + dy >= height || x + dx < 0 || x + dx >= width) return;
      diagonal[k] += weight;
      links[8 * k + j] = place[pixel + dy * width + dx];
    });
  });
  return { missing, links, diagonal };
}

/** out_k = d_k v_k - sum_j w_j v_j over the missing neighbours: a symmetric, positive definite matrix. */
function multiply({ links, diagonal }: System, v: Float64Array, out: Float64Array): void {
  for (let k = 0; k < v.length; k++) {
    let sum = diagonal[k] * v[k];
    for (let j = 0; j < 8; j++) {
      const link = links[8 * k + j];
      if (link >= 0) sum -= NEIGHBOURS[j][2] * v[link];
    }
    out[k] = sum;
  }
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

/** Solves the system by conjugate gradients, preconditioned by its diagonal (Hestenes & Stiefel 1952). */
function solve(system: System, right: Float64Array): Float64Array {
  const n = right.length;
  const [x, product] = [new Float64Array(n), new Float64Array(n)];
  const residual = right.slice();
  const scaled = residual.map((r, k) => r / system.diagonal[k]);
  const direction = scaled.slice();
  let energy = dot(residual, scaled);
  const enough = TOLERANCE ** 2 * dot(right, right);
  for (let step = 0; step < n && dot(residual, residual) > enough; step++) {
    multiply(system, direction, product);
    const length = energy / dot(direction, product);
    for (let k = 0; k < n; k++) {
      x[k] += length * direction[k];
      residual[k] -= length * product[k];
      scaled[k] = residual[k] / system.diagonal[k];
    }
    const next = dot(residual, scaled);
    for (let k = 0; k < n; k++) direction[k] = scaled[k] + (next / energy) * direction[k];
    energy = next;
  }
  return x;
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
  const system = systemOf(known, height, width);
  const { missing } = system;
  const result = planes.slice();
  const area = height * width;
  for (let from = 0; from < planes.length; from += area) {
    const plane = planes.subarray(from, from + area);
    // Solved around the mean of the known pixels, where the answer is nearest to 0.
    const mean = meanOfKnown(plane, known);
    const right = Float64Array.from(missing, (pixel, k) => {
      const [y, x] = [Math.floor(pixel / width), pixel % width];
      let sum = 0;
      NEIGHBOURS.forEach(([dy, dx, weight], j) => {
        const inside = y + dy >= 0 && y + dy < height && x + dx >= 0 && x + dx < width;
        if (inside && system.links[8 * k + j] < 0) sum += weight * (plane[pixel + dy * width + dx] - mean);
      });
      return sum;
    });
    solve(system, right).forEach((value, k) => (result[from + missing[k]] = value + mean));
  }
  return result;
}

function meanOfKnown(plane: Float32Array, known: Uint8Array): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < plane.length; i++) {
    sum += known[i] * plane[i];
    count += known[i];
  }
  return sum / count;
}
