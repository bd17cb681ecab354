/**
 * The Cholesky factor L of a positive definite matrix L Lᵀ [n, n]. The lower half of the result is
 * L. If rounding makes a pivot zero or negative, it becomes 1e-12.
 */
export function cholesky(matrix: Float64Array, n: number): Float64Array {
  const lower = matrix.slice();
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = lower[i * n + j];
      for (let k = 0; k < j; k++) sum -= lower[i * n + k] * lower[j * n + k];
      lower[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / lower[j * n + j];
    }
  }
  return lower;
}

/** Solves L x = b for x, where L is the lower half of `lower` [n, n]. */
export function solveLower(lower: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= lower[i * n + k] * x[k];
    x[i] /= lower[i * n + i];
  }
  return x;
}

/** Solves L Lᵀ x = b for x. */
export function solve(lower: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const x = solveLower(lower, b);
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= lower[k * n + i] * x[k];
    x[i] /= lower[i * n + i];
  }
  return x;
}
