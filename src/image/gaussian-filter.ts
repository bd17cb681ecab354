import { gaussianKernel } from './blur.ts';

/** Values beyond the border: zeros, or the mirrored plane with its edge repeated. */
export type FilterBorder = 'zero' | 'mirror';

/**
 * A kernel of 2 · radius + 1 taps along an axis of n cells, as a matrix [n, n]. In row i, columns
 * further than the radius from i are 0.
 */
function filterMatrix(n: number, kernel: Float64Array, border: FilterBorder): Float64Array {
  const radius = kernel.length >> 1;
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const [first, last] =
      border === 'zero' ? [Math.max(-radius, -i), Math.min(radius, n - 1 - i)] : [-radius, radius];
    for (let k = first; k <= last; k++) {
      const at = (((i + k) % (2 * n)) + 2 * n) % (2 * n);
      matrix[i * n + (at < n ? at : 2 * n - 1 - at)] += kernel[k + radius];
    }
  }
  return matrix;
}

/**
 * The rows of a plane [m, n] filtered by a matrix [n, n], transposed: [n, m]. The loop computes
 * blocks of four rows by two outputs, like a matrix product, to reuse loaded values.
 */
function filteredRows(
  plane: Float64Array,
  n: number,
  matrix: Float64Array,
  radius: number,
): Float64Array {
  const m = plane.length / n;
  const out = new Float64Array(plane.length);
  for (let j = 0; j < n; j += 2) {
    const next = Math.min(j + 1, n - 1);
    const first = Math.max(0, j - radius);
    const last = Math.min(n - 1, next + radius);
    const [p, q] = [j * n, next * n];
    for (let i = 0; i < m; i += 4) {
      // Beyond the last row or output, the last one is repeated.
      const [i1, i2, i3] = [Math.min(i + 1, m - 1), Math.min(i + 2, m - 1), Math.min(i + 3, m - 1)];
      const [a, b, c, d] = [i * n, i1 * n, i2 * n, i3 * n];
      let ap = 0;
      let bp = 0;
      let cp = 0;
      let dp = 0;
      let aq = 0;
      let bq = 0;
      let cq = 0;
      let dq = 0;
      for (let k = first; k <= last; k++) {
        const u = matrix[p + k];
        const v = matrix[q + k];
        const ak = plane[a + k];
        const bk = plane[b + k];
        const ck = plane[c + k];
        const dk = plane[d + k];
        ap += ak * u;
        bp += bk * u;
        cp += ck * u;
        dp += dk * u;
        aq += ak * v;
        bq += bk * v;
        cq += ck * v;
        dq += dk * v;
      }
      out[j * m + i] = ap;
      out[j * m + i1] = bp;
      out[j * m + i2] = cp;
      out[j * m + i3] = dp;
      out[next * m + i] = aq;
      out[next * m + i1] = bq;
      out[next * m + i2] = cq;
      out[next * m + i3] = dq;
    }
  }
  return out;
}

/**
 * Blurs planes [h, w] in double precision by a Gaussian that is cut at four sigma, like SciPy's
 * `gaussian_filter` with mode `constant` (`zero`) or `reflect` (`mirror`). Sigma 0 leaves planes
 * unchanged.
 */
export function gaussianFilter(
  height: number,
  width: number,
  sigma: number,
  border: FilterBorder,
): (plane: Float64Array) => Float64Array {
  const radius = Math.floor(4 * sigma + 0.5);
  if (radius === 0) return (plane) => plane.slice();
  const kernel = gaussianKernel(2 * radius + 1, sigma);
  const along = filterMatrix(width, kernel, border);
  const down = height === width ? along : filterMatrix(height, kernel, border);
  return (plane) => filteredRows(filteredRows(plane, width, along, radius), height, down, radius);
}
