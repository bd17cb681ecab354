import { type DataType, dataTypeCode, each } from '../../onnx/index.ts';
import { type GradientRule, type RuleContext, rule } from '../rule.ts';
import type { FamilyRules } from './families.ts';

/** The smallest and the largest code of each integer type of quantized tensors. */
const codes: Partial<Record<DataType, readonly [low: number, high: number]>> = {
  uint4: [0, 15],
  int4: [-8, 7],
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

/**
 * The limits of the values of a QuantizeLinear, if they are 0. `min` is 0 if no code stands for a
 * negative number, so that it acts as a ReLU. `max` is 0 if no code stands for a positive number.
 */
export function cutAtZero(at: RuleContext): { readonly min?: 0; readonly max?: 0 } {
  const range = codes[at.ops.info(at.node.outputs[0] ?? '').type ?? 'float32'];
  const zeroPoints = at.has(2) ? at.numbers(2) : [0];
  if (range === undefined || zeroPoints === null) return {};
  if (zeroPoints.every((zero) => zero === range[0])) return { min: 0 };
  return zeroPoints.every((zero) => zero === range[1]) ? { max: 0 } : {};
}

/** A tensor after QuantizeLinear. */
export interface Quantized {
  /** The numbers that the codes stand for, in the type of x. */
  readonly value: string;
  /** A tensor of bool: whether each element of x is within the range of the codes. */
  readonly isInside: string;
}

/**
 * The distance of two neighbouring codes: a constant, or a tensor if the scale differs within x.
 */
function stepOf(at: RuleContext, x: string, type: DataType): string {
  const { ops, node } = at;
  const { shape } = ops.info(node.inputs[1] ?? '');
  if (shape?.every((dim) => dim === 1)) return at.input(1);
  const ones = ops.op('Cast', [ops.add(ops.zerosLike(x), ops.scalar(1, x))], {
    to: dataTypeCode(type),
  });
  return dequantized(at, ones, false);
}

function dequantized(at: RuleContext, q: string, hasZeroPoint: boolean): string {
  const { ops, node } = at;
  const shared = [...node.attributes].filter(([name]) => name === 'axis' || name === 'block_size');
  const inputs = [q, node.inputs[1] ?? '', ...(hasZeroPoint ? [node.inputs[2] ?? ''] : [])];
  const value = ops.op('DequantizeLinear', inputs, Object.fromEntries(shared), node.domain);
  return ops.cast(value, ops.info(at.input(0)).type ?? 'float32');
}

/**
 * Dequantizes q, the output of QuantizeLinear on x, and finds the elements of x that are not
 * saturated. An element is not saturated if its rounding error is at most half a step, as in
 * PyTorch's `fake_quantize`. If the range of the codes starts or ends at 0, the limit is a fused
 * ReLU, and elements beyond 0 are saturated. Neighbouring float codes differ by at most a quarter
 * of the number.
 */
export function quantized(at: RuleContext, x: string, q: string): Quantized {
  const { ops } = at;
  const type = ops.info(at.node.outputs[0] ?? '').type ?? 'uint8';
  const value = dequantized(at, q, at.has(2));
  const error = ops.op('Abs', [ops.sub(x, value)]);
  const step = stepOf(at, x, type);
  const limit =
    type in codes
      ? ops.scale(step, 0.51)
      : ops.add(ops.scale(ops.op('Abs', [x]), 0.2), ops.scale(step, 0.26));
  const conditions = [ops.op('Greater', [error, limit])];
  const { min, max } = cutAtZero(at);
  if (min === 0) conditions.push(ops.op('Less', [x, ops.scalar(0, x)]));
  if (max === 0) conditions.push(ops.op('Greater', [x, ops.scalar(0, x)]));
  const isOutside = conditions.reduce((either, condition) => ops.op('Or', [either, condition]));
  return { value, isInside: ops.op('Not', [isOutside]) };
}

/**
 * y = round(x / scale) + zero point, limited to the smallest and the largest code. The rounding
 * counts as the identity (straight-through), but the limits do not: dx = dy [x inside the range]
 */
const quantize: GradientRule = (at, [dy = '']) => {
  const { isInside } = quantized(at, at.input(0), at.node.outputs[0] ?? '');
  return [at.ops.op('Where', [isInside, dy, at.ops.scalar(0, dy)])];
};

const straight = { stop: [1, 2], straightThrough: true };

/** Gradients of quantization. */
export const quantization: FamilyRules<'quantization'> = {
  ...each('QuantizeLinear com.microsoft:QuantizeLinear', rule(quantize, straight)),
  ...each(
    'DequantizeLinear com.microsoft:DequantizeLinear',
    rule((_, [dy = '']) => [dy], straight),
  ),
};
