import { type Tensor, tensor } from '../tensor/tensor.ts';

/**
 * `reflect`: half-pixel centres, mirrored beyond the first and last centre (scikit-image).
 * `align-corners`: end points coincide.
 */
export type Upsampling = 'reflect' | 'align-corners' | 'nearest';

function position(mode: Upsampling, i: number, from: number, to: number): number {
  if (mode === 'align-corners') return to > 1 ? (i * (from - 1)) / (to - 1) : 0;
  const centre = ((i + 0.5) * from) / to - 0.5;
  if (mode === 'nearest') return Math.min(from - 1, Math.floor(((i + 0.5) * from) / to));
  const mirrored = Math.abs(centre);
  return mirrored > from - 1 ? 2 * (from - 1) - mirrored : mirrored;
}

/**
 * Linear upsampling of an axis as a matrix [to, from]: row i holds the weights 1 - t and t of the
 * two cells around its position p = floor(p) + t.
 */
export function upsamplingMatrix(mode: Upsampling, from: number, to: number): Tensor {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const p = Math.max(0, position(mode, i, from, to));
    const low = Math.min(from - 1, Math.floor(p));
    const high = Math.min(from - 1, low + 1);
    weights[i * from + low] += 1 - (p - low);
    weights[i * from + high] += p - low;
  }
  return tensor([to, from], weights);
}
