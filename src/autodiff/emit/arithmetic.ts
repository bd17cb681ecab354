import { type DataType, dataTypeCode } from '../../onnx/index.ts';
import { withAxes } from './axes.ts';
import type { Emitter } from './emitter.ts';

/** Elementwise formulas and reductions. */
export interface Arithmetic {
  add(a: string, b: string): string;
  sub(a: string, b: string): string;
  mul(a: string, b: string): string;
  div(a: string, b: string): string;
  /** x times a number. */
  scale(x: string, factor: number): string;
  cast(x: string, type: DataType): string;
  /** `ReduceSum`, `ReduceMean`, … over some axes, or over all of them if none are given. */
  reduce(opType: string, x: string, axes: readonly number[], keepDims?: boolean): string;
  reduceSum(x: string, axes: readonly number[], keepDims?: boolean): string;
  /** 1 where x > threshold, 0 elsewhere, in the type of x. */
  above(x: string, threshold?: number): string;
  /** 1 where x < threshold, 0 elsewhere, in the type of x. */
  below(x: string, threshold?: number): string;
}

/** The slope with which HardSigmoid becomes a step function. */
const steep = 2 ** 100;

/** Elementwise formulas and reductions, as nodes of an emitter. */
export function arithmetic(emitter: Emitter): Arithmetic {
  const { op, scalar, info } = emitter;
  const reduce: Arithmetic['reduce'] = (opType, x, axes, keepDims = true) => {
    const from = opType === 'ReduceSum' ? 13 : 18;
    return withAxes(emitter, opType, x, axes, from, { keepdims: keepDims ? 1 : 0 });
  };
  return {
    add: (a, b) => op('Add', [a, b]),
    sub: (a, b) => op('Sub', [a, b]),
    mul: (a, b) => op('Mul', [a, b]),
    div: (a, b) => op('Div', [a, b]),
    scale: (x, factor) => (factor === 1 ? x : op('Mul', [x, scalar(factor, x)])),
    cast: (x, type) => (info(x).type === type ? x : op('Cast', [x], { to: dataTypeCode(type) })),
    reduce,
    reduceSum: (x, axes, keepDims) => reduce('ReduceSum', x, axes, keepDims),
    above: (x, threshold = 0) => step(emitter, x, 'Greater', threshold),
    below: (x, threshold = 0) => step(emitter, x, 'Less', threshold),
  };
}

/**
 * 1 where the comparison is true, 0 elsewhere. In float32, HardSigmoid with a slope of 2^100
 * computes this step exactly, because a product with a power of two is exact. It is faster than a
 * comparison, because ONNX Runtime keeps its result in the blocked memory layout.
 */
function step(
  { op, scalar, floatType }: Emitter,
  x: string,
  comparison: 'Greater' | 'Less',
  threshold: number,
): string {
  const [alpha, beta] =
    comparison === 'Greater' ? [steep, -threshold * steep] : [-steep, threshold * steep];
  const type = floatType(x);
  const fits = Math.abs(threshold) < 2 ** 27 && type === 'float32';
  if (fits)
    return op('HardSigmoid', [x], {
      alpha: { type: 'float', value: alpha },
      beta: { type: 'float', value: beta === 0 ? 0 : beta },
    });
  return op('Cast', [op(comparison, [x, scalar(threshold, x)])], { to: dataTypeCode(type) });
}
