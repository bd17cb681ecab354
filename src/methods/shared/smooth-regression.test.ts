import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { cholesky, solve } from './cholesky.ts';
import { SmoothRegression, smoothFactor } from './smooth-regression.ts';

const GRID = { height: 6, width: 8 };
const CELLS = 48;
const LENGTH = 1.5;

const covariance = (i: number, j: number) => {
  const [dy, dx] = [Math.floor(i / 8) - Math.floor(j / 8), (i % 8) - (j % 8)];
  return Math.exp(-(dy * dy + dx * dx) / (2 * LENGTH ** 2));
};

/** A smooth field of effects: a hill. */
const HILL = Float64Array.from({ length: CELLS }, (_, i) => covariance(i, 19) - 0.3);

function masksOf(count: number, seed: number): Float32Array[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () =>
    Float32Array.from({ length: CELLS }, () => (random.uniform() < 0.5 ? 1 : 0)),
  );
}

const product = (mask: Float32Array, effects: Float64Array) =>
  mask.reduce((sum, shown, i) => sum + shown * effects[i], 0);

/**
 * The posterior mean and variance of a Gaussian process with prior covariance τ² K, noise σ² and a
 * known constant 0, from n × n matrices:
 *
 *   mean = K Mᵀ (M K Mᵀ + λ I)⁻¹ y,   variance = τ² ( K - K Mᵀ (M K Mᵀ + λ I)⁻¹ M K )
 */
function literal(masks: readonly Float32Array[], y: Float64Array, lambda: number) {
  const n = masks.length;
  const crossed = masks.map((mask) =>
    Float64Array.from({ length: CELLS }, (_, c) =>
      mask.reduce((sum, shown, i) => sum + shown * covariance(i, c), 0),
    ),
  );
  const matrix = Float64Array.from({ length: n * n }, (_, i) => {
    const [a, b] = [Math.floor(i / n), i % n];
    return product(masks[a], crossed[b]) + (a === b ? lambda : 0);
  });
  const lower = cholesky(matrix, n);
  const dual = solve(lower, y);
  const mean = Float64Array.from({ length: CELLS }, (_, c) =>
    dual.reduce((sum, value, k) => sum + value * crossed[k][c], 0),
  );
  const spread = Float64Array.from({ length: CELLS }, (_, c) => {
    const column = Float64Array.from(crossed, (row) => row[c]);
    const solved = solve(lower, column);
    return 1 - column.reduce((sum, value, k) => sum + value * solved[k], 0);
  });
  return { mean, spread };
}

describe('smoothFactor', () => {
  it('is a factor of the squared exponential covariance, with fewer columns than points', () => {
    const columns = smoothFactor(28, 3);
    expect(columns.length).toBeLessThan(20);
    for (let i = 0; i < 28; i++)
      for (let j = 0; j < 28; j++) {
        const sum = columns.reduce((total, column) => total + column[i] * column[j], 0);
        expect(Math.abs(sum - Math.exp(-((i - j) ** 2) / 18))).toBeLessThan(1e-3);
      }
  });
});

describe('SmoothRegression', () => {
  it('finds the effects of an additive model with noise, within its standard errors', () => {
    const random = createRandom(3);
    const regression = new SmoothRegression(GRID, LENGTH);
    for (const mask of masksOf(300, 2))
      regression.add(mask, 5 + product(mask, HILL) + 0.1 * random.normal(), 'shown');
    const { values, standardErrors } = regression.fit();
    expect(values).toBeAllClose(HILL, { rtol: 0, atol: 0.06 });
    const errors = standardErrors();
    const within = [...values.keys()].filter((i) => Math.abs(values[i] - HILL[i]) < 2 * errors[i]);
    expect(within.length).toBeGreaterThan(0.8 * CELLS);
    expect(Math.max(...errors)).toBeLessThan(0.05);
  });

  it('learns a constant per group', () => {
    const regression = new SmoothRegression(GRID, LENGTH);
    for (const [g, group] of ['a', 'b'].entries())
      for (const mask of masksOf(100, 4 + g))
        regression.add(mask, 100 * g + product(mask, HILL), group);
    expect(regression.fit().values).toBeAllClose(HILL, { rtol: 0, atol: 0.02 });
  });

  it('equals a Gaussian process with n × n matrices, for one of its ratios of noise', () => {
    // Each mask and its negative: the mean of the group is 0, so the constant is known to be 0.
    const random = createRandom(5);
    const half = masksOf(40, 6).map((mask) => mask.map((shown) => 2 * shown - 1));
    const masks = [...half, ...half.map((mask) => mask.map((value) => -value))];
    const positive = half.map((mask) => product(mask, HILL) + 0.5 * random.normal());
    const y = Float64Array.from([...positive, ...positive.map((value) => -value)]);
    const regression = new SmoothRegression(GRID, LENGTH);
    masks.forEach((mask, i) => {
      regression.add(mask, y[i], 'all');
    });
    const { values, standardErrors } = regression.fit();
    const trace =
      masks.reduce(
        (sum, mask) =>
          sum +
          product(
            mask,
            Float64Array.from({ length: CELLS }, (_, c) =>
              mask.reduce((total, shown, i) => total + shown * covariance(i, c), 0),
            ),
          ),
        0,
      ) / masks.length;
    const distances = Array.from({ length: 9 }, (_, i) => {
      const lambda = 1e-3 * 10 ** (i / 2) * trace;
      const { mean, spread } = literal(masks, y, lambda);
      const distance = Math.max(...mean.map((value, c) => Math.abs(value - values[c])));
      return { distance, spread, lambda, mean };
    });
    const best = distances.reduce((a, b) => (b.distance < a.distance ? b : a));
    expect(best.distance).toBeLessThan(5e-3);
    // σ² from the residuals in the dual form: yᵀ (M K Mᵀ + λ I)⁻¹ y · λ / n = σ².
    const errors = standardErrors();
    const ratio = errors.map((error, c) => error / Math.sqrt(best.spread[c]));
    expect(Math.max(...ratio) / Math.min(...ratio)).toBeLessThan(1.05);
  });

  it('is exactly 0 if all scores of each group are equal', () => {
    const regression = new SmoothRegression(GRID, LENGTH);
    for (const [g, group] of ['a', 'b'].entries())
      for (const mask of masksOf(10, g)) regression.add(mask, 0.1 + g, group);
    const { values, standardErrors } = regression.fit();
    expect([...values, ...standardErrors()].every((value) => value === 0)).toBe(true);
  });
});
