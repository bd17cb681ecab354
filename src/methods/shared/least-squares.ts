import { cholesky, solve } from './cholesky.ts';

/** A weighted linear fit. */
export interface Fit {
  readonly coefficients: Float64Array;
  readonly intercept: number;
  /** The weighted share of the variance that the fit explains, at most 1. */
  readonly r2: number;
  /**
   * The standard error of each coefficient, under the assumption of independent errors of equal
   * size.
   */
  readonly standardErrors: Float64Array;
}

/**
 * Weighted ridge regression of y [rows] on X [rows, columns]:
 *
 *   min over β, β₀ of  Σ_r w_r (y_r - β₀ - x_r · β)² + alpha |β|²
 *
 * The intercept is not penalized. Without an intercept, β₀ is 0. β = (Xᵀ W X + alpha I)⁻¹ Xᵀ W y,
 * after the weighted means of X and y are subtracted. The covariance of β is σ² (XᵀWX + alpha I)⁻¹
 * XᵀW²X (XᵀWX + alpha I)⁻¹, where σ² is the mean squared residual.
 */
export function ridge(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  w: ArrayLike<number>,
  columns: number,
  alpha: number,
  withIntercept = true,
): Fit {
  const rows = y.length;
  const total = Array.from({ length: rows }, (_, r) => w[r]).reduce((sum, value) => sum + value, 0);
  const means = new Float64Array(columns);
  const [first] = withIntercept ? Array.from(y) : [0];
  const differences = Float64Array.from(y, (value) => value - first); // exactly 0 if all are equal
  let mean = 0;
  for (let r = 0; withIntercept && r < rows; r++) {
    mean += (w[r] * differences[r]) / total;
    for (let c = 0; c < columns; c++) means[c] += (w[r] * x[r * columns + c]) / total;
  }
  const gram = new Float64Array(columns * columns);
  const squared = new Float64Array(columns * columns);
  const moments = new Float64Array(columns);
  const line = new Float64Array(columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) line[c] = x[r * columns + c] - means[c];
    for (let i = 0; i < columns; i++) {
      const value = w[r] * line[i];
      if (value === 0) continue;
      moments[i] += value * (differences[r] - mean);
      for (let j = 0; j <= i; j++) {
        gram[i * columns + j] += value * line[j];
        squared[i * columns + j] += w[r] * value * line[j];
      }
    }
  }
  for (let i = 0; i < columns; i++) gram[i * columns + i] += alpha;
  const lower = cholesky(gram, columns);
  const coefficients = solve(lower, moments);
  const meanY = first + mean;
  const intercept = meanY - coefficients.reduce((sum, value, c) => sum + value * means[c], 0);
  let [residual, spread, plain] = [0, 0, 0];
  for (let r = 0; r < rows; r++) {
    let fitted = intercept;
    for (let c = 0; c < columns; c++) fitted += x[r * columns + c] * coefficients[c];
    residual += w[r] * (y[r] - fitted) ** 2;
    spread += w[r] * (y[r] - meanY) ** 2;
    plain += (y[r] - fitted) ** 2;
  }
  const variance = plain / Math.max(1, rows - columns - 1);
  const standardErrors = Float64Array.from({ length: columns }, (_, c) => {
    const v = solve(
      lower,
      Float64Array.from({ length: columns }, (__, i) => (i === c ? 1 : 0)),
    );
    let sum = 0;
    for (let i = 0; i < columns; i++)
      for (let j = 0; j <= i; j++)
        sum += (i === j ? 1 : 2) * v[i] * v[j] * squared[i * columns + j];
    return Math.sqrt(Math.max(0, variance * sum));
  });
  return { coefficients, intercept, r2: spread > 0 ? 1 - residual / spread : 0, standardErrors };
}
