import type { Dim, Shape } from '../graph.ts';

/**
 * A dimension as a product, for arithmetic on dimensions. A symbolic dimension is a name or a
 * product such as `64*batch`. A result that is not such a product becomes null.
 */
interface Product {
  readonly coefficient: number;
  /** The names of the symbolic factors, sorted. */
  readonly symbols: readonly string[];
}

/**
 * Largest number of names in a product. Networks do not need more, and in a broken file each
 * product could double the one before it.
 */
const mostSymbols = 16;

function productOf(dim: number | string): Product {
  if (typeof dim === 'number') return { coefficient: dim, symbols: [] };
  if (!/^[^*+/()\s-]+(\*[^*+/()\s-]+)*$/.test(dim)) return { coefficient: 1, symbols: [dim] };
  let coefficient = 1;
  const symbols: string[] = [];
  for (const factor of dim.split('*')) {
    if (/^\d+$/.test(factor)) coefficient *= Number(factor);
    else symbols.push(factor);
  }
  return { coefficient, symbols: symbols.sort() };
}

function dimOf({ coefficient, symbols }: Product): Dim {
  if (symbols.length === 0 || coefficient === 0) return coefficient;
  if (coefficient < 0 || !Number.isInteger(coefficient)) return null;
  return coefficient === 1 ? symbols.join('*') : [coefficient, ...symbols].join('*');
}

/** a * b */
export function multiplyDims(a: Dim, b: Dim): Dim {
  if (a === 0 || b === 0) return 0;
  if (a === null || b === null) return null;
  const [x, y] = [productOf(a), productOf(b)];
  if (x.symbols.length + y.symbols.length > mostSymbols) return null;
  return dimOf({
    coefficient: x.coefficient * y.coefficient,
    symbols: [...x.symbols, ...y.symbols].sort(),
  });
}

/** a / b if the division is exact; null otherwise. */
export function divideDims(a: Dim, b: Dim): Dim {
  if (a === null || b === null || b === 0) return null;
  const [x, y] = [productOf(a), productOf(b)];
  const symbols = [...x.symbols];
  for (const symbol of y.symbols) {
    const index = symbols.indexOf(symbol);
    if (index < 0) return null;
    symbols.splice(index, 1);
  }
  const coefficient = x.coefficient / y.coefficient;
  return Number.isInteger(coefficient) ? dimOf({ coefficient, symbols }) : null;
}

/** a + sign * b, or null if the sum is not a product. */
export function addDims(a: Dim, b: Dim, sign: 1 | -1 = 1): Dim {
  if (a === null || b === null) return null;
  if (b === 0) return a;
  if (a === 0 && sign === 1) return b;
  const [x, y] = [productOf(a), productOf(b)];
  if (x.symbols.join('*') !== y.symbols.join('*')) return null;
  return dimOf({ coefficient: x.coefficient + sign * y.coefficient, symbols: x.symbols });
}

/** The product of dimensions. It is 1 for an empty list. */
export function productOfDims(dims: Shape): Dim {
  return dims.reduce(multiplyDims, 1);
}

/** The dimension that results from broadcasting two dimensions. */
export function broadcastDims(a: Dim, b: Dim): Dim {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  // If one size is known and above 1, the other can only be 1 or the same size.
  if (typeof a === 'number') return a;
  return typeof b === 'number' ? b : null;
}

/**
 * The shape that results from broadcasting several shapes. Null if the rank of one of them is
 * unknown.
 */
export function broadcastShapes(shapes: readonly (Shape | null)[]): Shape | null {
  const known = shapes.filter((shape) => shape !== null);
  if (known.length < shapes.length) return null;
  const rank = Math.max(0, ...known.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    known
      .map(
        (shape) => shape[axis - rank + shape.length] ?? (axis - rank + shape.length < 0 ? 1 : null),
      )
      .reduce(broadcastDims, 1),
  );
}
