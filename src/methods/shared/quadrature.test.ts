import { describe, expect, it } from 'vitest';
import { quadrature } from './quadrature.ts';

describe('quadrature', () => {
  it('integrates polynomials exactly up to the degree of its rule', () => {
    const integral = (name: Parameters<typeof quadrature>[0], n: number, degree: number) => {
      const { nodes, weights } = quadrature(name, n);
      return nodes.reduce((sum, x, i) => sum + weights[i] * x ** degree, 0);
    };
    for (const n of [1, 2, 5, 50]) {
      for (let degree = 0; degree < 2 * n; degree++)
        expect(integral('gauss-legendre', n, degree)).toBeCloseTo(1 / (degree + 1), 12);
      for (const name of ['trapezoid', 'midpoint', 'left', 'right'] as const)
        expect(integral(name, n, 0)).toBeCloseTo(1, 12);
      for (const name of ['trapezoid', 'midpoint'] as const)
        expect(integral(name, n, 1)).toBeCloseTo(0.5, 12);
      expect(integral('right', n, 1)).toBeCloseTo((n + 1) / (2 * n), 12);
      expect(integral('left', n, 1)).toBeCloseTo((n - 1) / (2 * n), 12);
    }
  });
});
