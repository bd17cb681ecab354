import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { cholesky, solve, solveLower } from './cholesky.ts';

describe('cholesky', () => {
  // A = B Bᵀ + I for a random B, so A is positive definite.
  const n = 7;
  const random = createRandom(1);
  const b = Float64Array.from({ length: n * n }, () => random.normal());
  const matrix = Float64Array.from({ length: n * n }, (_, i) => {
    const [r, c] = [Math.floor(i / n), i % n];
    let sum = r === c ? 1 : 0;
    for (let k = 0; k < n; k++) sum += b[r * n + k] * b[c * n + k];
    return sum;
  });
  const lower = cholesky(matrix, n);
  const right = Float64Array.from({ length: n }, () => random.normal());

  it('has a lower half whose product with its transpose is the matrix', () => {
    for (let r = 0; r < n; r++)
      for (let c = 0; c <= r; c++) {
        let sum = 0;
        for (let k = 0; k <= c; k++) sum += lower[r * n + k] * lower[c * n + k];
        expect(sum).toBeCloseTo(matrix[r * n + c], 10);
      }
  });

  it('solves L x = b and L Lᵀ x = b', () => {
    const half = solveLower(lower, right);
    const x = solve(lower, right);
    for (let r = 0; r < n; r++) {
      let [lowerSum, sum] = [0, 0];
      for (let c = 0; c <= r; c++) lowerSum += lower[r * n + c] * half[c];
      for (let c = 0; c < n; c++) sum += matrix[r * n + c] * x[c];
      expect(lowerSum).toBeCloseTo(right[r], 10);
      expect(sum).toBeCloseTo(right[r], 10);
    }
  });
});
