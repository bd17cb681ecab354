import { gaussianKernel } from './blur.ts';

/** What lies beyond the border: zeros, or the plane mirrored with its edge repeated. */
export type FilterBorder = 'zero' | 'mirror';

/** A kernel along the columns of a plane [h, w]; rows beyond the border are left out, or mirrored back. */
function alongColumns(plane: Float64Array, width: number, kernel: Float64Array, border: FilterBorder): Float64Array {
  const height = plane.length / width;
  const radius = kernel.length >> 1;
  const out = new Float64Array(plane.length);
  for (let y = 0; y < height; y++) {
    const target = out.subarray(y * width, (y + 1) * width);
    const [first, last] = border === 'zero' ? [Math.max(-radius, -y), Math.min(radius, height - 1 - y)] : [-radius, radius];
    for (let k = first; k <= last; k++) {
      const weight = kernel[k + radius];
      const i = (((y + k) % (2 * height)) + 2 * height) % (2 * height);
      const from = (i < height ? i : 2 * height - 1 - i) * width;
      for (let x = 0; x < width; x++) target[x] += weight * plane[from + x];
    }
  }
  return out;
}

function transposed(plane: Float64Array, width: number): Float64Array {
  const height = plane.length / width;
  const out = new Float64Array(plane.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = plane[y * width + x];
  return out;
}

/**
 * A plane [h, w] in double precision, blurred by a Gaussian that is cut at four sigma, as SciPy's `gaussian_filter` does
 * it with mode `constant` (`zero`) or `reflect` (`mirror`). Sigma 0 leaves it as it is.
 */
export function gaussianFilter(plane: Float64Array, width: number, sigma: number, border: FilterBorder): Float64Array {
  const radius = Math.floor(4 * sigma + 0.5);
  if (radius === 0) return plane.slice();
  const kernel = gaussianKernel(2 * radius + 1, sigma);
  const height = plane.length / width;
  const down = alongColumns(plane, width, kernel, border);
  return transposed(alongColumns(transposed(down, width), height, kernel, border), height);
}
