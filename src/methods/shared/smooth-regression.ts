import { cholesky, solve, solveLower } from './cholesky.ts';

/** Cells of a grid over the picture. */
export interface CellGrid {
  readonly height: number;
  readonly width: number;
}

/** The estimate of a regression. */
export interface SmoothFit {
  /** The effect of showing each cell, in the unit of the scores, [height · width]. */
  readonly values: Float64Array;
  /** Computes the posterior standard deviation of each value, in the same unit. */
  standardErrors(): Float64Array;
}

/** A solution for one ratio of noise to prior variance. */
interface Solution {
  readonly lower: Float64Array;
  readonly weights: Float64Array;
  readonly variance: number;
  /** The logarithm of the marginal likelihood, up to a constant. */
  readonly evidence: number;
}

/** The ratios of noise to prior variance that are compared. Each is three times the one before. */
const NOISE = Array.from({ length: 9 }, (_, i) => 1e-3 * 10 ** (i / 2));
/** The factor of the prior leaves out at most this share of the variance of a cell. */
const RESIDUAL = 1e-3;

/**
 * A factor F [n, r] of the squared exponential covariance of n points at distance 1,
 *
 *   K_ij = exp( -(i - j)² / (2 length²) ) ≈ F Fᵀ,
 *
 * by a Cholesky decomposition that takes the point with the largest remaining variance next, until
 * no point has more than a thousandth left. Returns the r columns.
 */
export function smoothFactor(n: number, length: number): Float64Array[] {
  const left = new Float64Array(n).fill(1);
  const columns: Float64Array[] = [];
  while (columns.length < n) {
    const pivot = left.reduce((best, value, i) => (value > left[best] ? i : best), 0);
    if (left[pivot] <= RESIDUAL) break;
    const scale = 1 / Math.sqrt(left[pivot]);
    const column = Float64Array.from({ length: n }, (_, i) => {
      let value = Math.exp(-((i - pivot) ** 2) / (2 * length ** 2));
      for (const other of columns) value -= other[i] * other[pivot];
      return value * scale;
    });
    column.forEach((value, i) => (left[i] -= value ** 2));
    columns.push(column);
  }
  return columns;
}

/** The masks of one group share an unknown constant. */
interface Group {
  count: number;
  readonly first: number;
  readonly features: Float64Array;
  scores: number;
}

/**
 * Bayesian linear regression of scores on masks, with a smooth prior:
 *
 *   y_i = a_g(i) + sum_c m_ic θ_c + noise,   θ ~ N(0, τ² K),   noise ~ N(0, σ²)
 *
 * m_ic is the share of cell c that picture i shows. K is a squared exponential covariance of the
 * distance of cells, so neighbors have similar effects. Each group of masks has its own constant
 * a_g, with a flat prior. With K = F Fᵀ and θ = F w it is a ridge regression in w:
 *
 *   w = (XᵀX + λ I)⁻¹ Xᵀ y,   X = M F,   λ = σ² / τ²
 *
 * λ is the one of nine values with the largest marginal likelihood, where σ² is the best for that λ:
 *
 *   log p(y) = -½ ( n log σ² + log |XᵀX + λ I| - r log λ ) + constant,   σ² = (yᵀy - yᵀX w) / n
 *
 * Source: Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, sections 2.1 and
 * 5.4.1.
 */
export class SmoothRegression {
  private readonly grid: CellGrid;
  private readonly down: readonly Float64Array[];
  private readonly across: readonly Float64Array[];
  private readonly gram: Float64Array;
  private readonly moments: Float64Array;
  private readonly groups = new Map<string, Group>();
  private squares = 0;
  private count = 0;

  /** `length` is the distance of two cells, in cells, at which effects are still alike. */
  constructor(grid: CellGrid, length: number) {
    this.grid = grid;
    this.down = smoothFactor(grid.height, length);
    this.across = smoothFactor(grid.width, length);
    const size = this.down.length * this.across.length;
    this.gram = new Float64Array(size * size);
    this.moments = new Float64Array(size);
  }

  /** Fᵀ m for a mask m [height · width]. */
  private featuresOf(mask: ArrayLike<number>): Float64Array {
    const { height, width } = this.grid;
    const result = new Float64Array(this.moments.length);
    const sums = new Float64Array(width);
    this.down.forEach((column, a) => {
      sums.fill(0);
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) sums[x] += column[y] * mask[y * width + x];
      this.across.forEach((other, b) => {
        let sum = 0;
        for (let x = 0; x < width; x++) sum += other[x] * sums[x];
        result[a * this.across.length + b] = sum;
      });
    });
    return result;
  }

  /** Adds the score of a picture that shows `mask` [height · width], 0 … 1. */
  add(mask: ArrayLike<number>, score: number, name: string): void {
    const features = this.featuresOf(mask);
    const size = features.length;
    let group = this.groups.get(name);
    if (!group) {
      group = { count: 0, first: score, features: new Float64Array(size), scores: 0 };
      this.groups.set(name, group);
    }
    const y = score - group.first; // so that equal scores are exactly 0
    group.count++;
    group.scores += y;
    this.count++;
    this.squares += y * y;
    for (let i = 0; i < size; i++) {
      group.features[i] += features[i];
      this.moments[i] += features[i] * y;
      for (let j = 0; j <= i; j++) this.gram[i * size + j] += features[i] * features[j];
    }
  }

  /** XᵀX, its trace, Xᵀy and yᵀy after the means of each group are subtracted. */
  private centered() {
    const [gram, moments] = [this.gram.slice(), this.moments.slice()];
    const size = moments.length;
    let squares = this.squares;
    for (const { count, features, scores } of this.groups.values()) {
      squares -= scores ** 2 / count;
      for (let i = 0; i < size; i++) {
        moments[i] -= (features[i] * scores) / count;
        for (let j = 0; j <= i; j++) gram[i * size + j] -= (features[i] * features[j]) / count;
      }
    }
    let trace = 0;
    for (let i = 0; i < size; i++) trace += gram[i * size + i];
    return { gram, moments, squares, trace };
  }

  /** The solution for λ = noise · trace / n, where trace / n makes `noise` independent of units. */
  private solutionFor(
    noise: number,
    { gram, moments, squares, trace }: ReturnType<SmoothRegression['centered']>,
  ): Solution {
    const size = moments.length;
    const lambda = Math.max((noise * trace) / this.count, Number.MIN_VALUE);
    const matrix = gram.slice();
    for (let i = 0; i < size; i++) matrix[i * size + i] += lambda;
    const lower = cholesky(matrix, size);
    const weights = solve(lower, moments);
    let residual = squares;
    let logDeterminant = -size * Math.log(lambda);
    for (let i = 0; i < size; i++) {
      residual -= moments[i] * weights[i];
      logDeterminant += 2 * Math.log(lower[i * size + i]);
    }
    const variance = Math.max(residual, 1e-12 * squares) / this.count;
    const evidence = -0.5 * (this.count * Math.log(variance) + logDeterminant);
    return { lower, weights, variance, evidence };
  }

  /** The estimate from all scores so far. If all scores of each group are equal, it is 0. */
  fit(): SmoothFit {
    const sums = this.centered();
    if (!(sums.squares > 0)) {
      const zeros = new Float64Array(this.grid.height * this.grid.width);
      return { values: zeros, standardErrors: () => zeros };
    }
    const best = NOISE.map((noise) => this.solutionFor(noise, sums)).reduce((a, b) =>
      b.evidence > a.evidence ? b : a,
    );
    const dot = (row: Float64Array) =>
      row.reduce((sum, value, i) => sum + value * best.weights[i], 0);
    return {
      values: this.perCell(dot),
      standardErrors: () =>
        this.perCell((row) => {
          const solved = solveLower(best.lower, row);
          return Math.sqrt(best.variance * solved.reduce((sum, value) => sum + value ** 2, 0));
        }),
    };
  }

  /** A number per cell, computed from its row of F. */
  private perCell(numberOf: (row: Float64Array) => number): Float64Array {
    const { height, width } = this.grid;
    const row = new Float64Array(this.moments.length);
    return Float64Array.from({ length: height * width }, (_, cell) => {
      const [y, x] = [Math.floor(cell / width), cell % width];
      this.down.forEach((column, a) => {
        this.across.forEach((other, b) => {
          row[a * this.across.length + b] = column[y] * other[x];
        });
      });
      return numberOf(row);
    });
  }
}
