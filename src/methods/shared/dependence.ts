import { quantile } from '../../tensor/statistics.ts';

/**
 * How much the scores y [n] depend on each cell d of the masks m [n, cells]: the Hilbert-Schmidt
 * independence criterion
 *
 *   HSIC_d = 1 / (n - 1)² · trace(K_d H L H)
 *
 *   K_d[a, b] = 1 if m_a[d] = m_b[d], else 0       L[a, b] = exp(-(y_a - y_b)² / (2 σ²))
 *
 * H is the centering matrix, and σ is the median of |y|. K_d = (1 + z zᵀ) / 2 with z = 2 m_d - 1,
 * so the trace is zᵀ H L H z / 2. The result [cells] is never negative. It is 0 for independent
 * cells, except for random variation.
 */
export function hsicScores(
  masks: ArrayLike<number>,
  scores: Float64Array,
  cells: number,
): Float64Array {
  const n = scores.length;
  const width = quantile(scores.map(Math.abs).sort(), 0.5) || Number.MIN_VALUE;
  const result = new Float64Array(cells);
  const centred = Float64Array.from({ length: n * cells }, (_, i) => 2 * masks[i] - 1);
  for (let d = 0; d < cells; d++) {
    let mean = 0;
    for (let a = 0; a < n; a++) mean += centred[a * cells + d] / n;
    for (let a = 0; a < n; a++) centred[a * cells + d] -= mean;
  }
  for (let a = 0; a < n; a++) {
    const sums = new Float64Array(cells);
    for (let b = 0; b < n; b++) {
      const likeness = Math.exp(-0.5 * ((scores[a] - scores[b]) / width) ** 2);
      for (let d = 0; d < cells; d++) sums[d] += likeness * centred[b * cells + d];
    }
    for (let d = 0; d < cells; d++) result[d] += centred[a * cells + d] * sums[d];
  }
  return result.map((sum) => Math.max(0, sum) / (2 * (n - 1) ** 2));
}
