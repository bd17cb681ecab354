import * as v from 'valibot';
import { option } from '../../options.ts';

/** The option for the rule of an integral over [0, 1]. */
export const quadratureOption = option(
  v.picklist(['gauss-legendre', 'trapezoid', 'left', 'right', 'midpoint']),
  'gauss-legendre',
  'how the integral along the path is computed: with Gauss-Legendre nodes, the trapezoid ' +
    'rule, or left, right or midpoint Riemann sums',
);

/** The name of a rule. */
export type QuadratureName = v.InferOutput<typeof quadratureOption>;

/** Nodes on [0, 1] and their weights, which add up to 1. */
export interface Quadrature {
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
}

/** P_n(x) and its derivative, by (k + 1) P_{k+1} = (2k + 1) x P_k - k P_{k-1}. */
function legendre(n: number, x: number): [value: number, derivative: number] {
  let [previous, current] = [1, x];
  for (let k = 1; k < n; k++)
    [previous, current] = [current, ((2 * k + 1) * x * current - k * previous) / (k + 1)];
  return [current, (n * (x * current - previous)) / (x * x - 1)];
}

/**
 * The nodes are the zeros of P_n, by Newton's method from cos(π (i + 3/4) / (n + 1/2)). The weights
 * are 2 / ((1 - x²) P_n'(x)²), halved for [0, 1].
 */
function gaussLegendre(n: number): Quadrature {
  const nodes = new Float64Array(n);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let x = n === 1 ? 0 : Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    for (let step = 0; step < 20; step++) {
      const [value, derivative] = legendre(n, x);
      x -= value / derivative;
      if (Math.abs(value / derivative) < 1e-15) break;
    }
    const slope = legendre(n, x)[1];
    nodes[n - 1 - i] = (x + 1) / 2;
    weights[n - 1 - i] = 1 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights };
}

/** The `n` nodes and weights of a rule. The trapezoid rule with one node is the midpoint rule. */
export function quadrature(name: QuadratureName, n: number): Quadrature {
  if (name === 'gauss-legendre') return gaussLegendre(n);
  if (name === 'trapezoid' && n > 1) {
    return {
      nodes: Float64Array.from({ length: n }, (_, k) => k / (n - 1)),
      weights: Float64Array.from(
        { length: n },
        (_, k) => (k === 0 || k === n - 1 ? 0.5 : 1) / (n - 1),
      ),
    };
  }
  const offset = name === 'left' ? 0 : name === 'right' ? 1 : 0.5;
  return {
    nodes: Float64Array.from({ length: n }, (_, k) => (k + offset) / n),
    weights: new Float64Array(n).fill(1 / n),
  };
}
