/** The smallest and the largest value that an element can have. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The interval of all numbers. */
export const anything: Interval = {
  low: Number.NEGATIVE_INFINITY,
  high: Number.POSITIVE_INFINITY,
};

/** The interval that contains only one number. */
export const point = (value: number): Interval => ({ low: value, high: value });

const hull = (values: readonly number[]): Interval =>
  values.some(Number.isNaN) ? anything : { low: Math.min(...values), high: Math.max(...values) };

/** A function that never decreases, applied to both bounds of an interval. */
const rising =
  (f: (x: number) => number): Function1 =>
  ({ low, high }) =>
    hull([f(low), f(high)]);

type Function1 = (x: Interval) => Interval;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => (x > 30 ? x : Math.log1p(Math.exp(x)));

/** erf(x) with an absolute error of about 1e-7 (Abramowitz & Stegun 1964, 7.1.26). */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const poly =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - poly * Math.exp(-x * x));
}

const above = (bound: number): Function1 => rising((x) => Math.max(x, bound));

/**
 * The interval of the output of operators with one operand, by operator type. Attributes do not
 * affect it.
 */
export const functions: ReadonlyMap<string, Function1> = new Map<string, Function1>([
  ['Identity', (x) => x],
  ['Dropout', (x) => x],
  ['Cast', (x) => x],
  ['Relu', above(0)],
  ['Sigmoid', rising(sigmoid)],
  ['Tanh', rising(Math.tanh)],
  ['Erf', rising(erf)],
  ['Exp', rising(Math.exp)],
  ['Log', rising((x) => Math.log(Math.max(x, 0)))],
  ['Sqrt', rising((x) => Math.sqrt(Math.max(x, 0)))],
  ['Softplus', rising(softplus)],
  ['Neg', ({ low, high }) => ({ low: -high, high: -low })],
  ['Reciprocal', (x) => quotient(point(1), x)],
  ['Abs', (x) => (x.low <= 0 && x.high >= 0 ? { low: 0, high: Math.max(-x.low, x.high) } : abs(x))],
]);

const abs = ({ low, high }: Interval): Interval => hull([Math.abs(low), Math.abs(high)]);

/** a b, but 0 times infinity is 0, because no element is infinite. */
const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

const product = (a: Interval, b: Interval): Interval =>
  hull([times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)]);

function quotient(a: Interval, b: Interval): Interval {
  if (b.low <= 0 && b.high >= 0) return anything;
  return product(a, { low: 1 / b.high, high: 1 / b.low });
}

/** The interval of the output of operators with two operands, by operator type. */
export const operations: ReadonlyMap<string, (a: Interval, b: Interval) => Interval> = new Map([
  ['Add', (a: Interval, b: Interval) => ({ low: a.low + b.low, high: a.high + b.high })],
  ['Sub', (a: Interval, b: Interval) => ({ low: a.low - b.high, high: a.high - b.low })],
  ['Mul', product],
  ['Div', quotient],
  [
    'Max',
    (a: Interval, b: Interval) => ({
      low: Math.max(a.low, b.low),
      high: Math.max(a.high, b.high),
    }),
  ],
  [
    'Min',
    (a: Interval, b: Interval) => ({
      low: Math.min(a.low, b.low),
      high: Math.min(a.high, b.high),
    }),
  ],
]);
