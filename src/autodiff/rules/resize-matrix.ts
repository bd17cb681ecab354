import {
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
} from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { RuleContext } from '../rule.ts';
import { checkConstant } from './axes.ts';

/**
 * Resizing along one axis as a matrix [rows, columns] = [size of the output, size of the input].
 * `values` are its elements, row by row.
 */
export interface ResizeMatrix {
  readonly axis: number;
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** Attributes of a Resize node that define how positions and weights are computed. */
interface Mode {
  readonly kind: string;
  readonly coordinates: string;
  readonly nearest: string;
  readonly cubic: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
}

/**
 * Rounds to float32, the precision of the runtime, because the nearest pixel may depend on
 * rounding.
 */
const f32 = Math.fround;

/**
 * The position of output pixel i in the input: (i + 1/2) / scale - 1/2, or another formula for
 * other `coordinates`. Each step is rounded to float32.
 */
function position(i: number, from: number, to: number, scale: number, coordinates: string): number {
  const centred = f32(f32(f32(i + 0.5) / scale) - 0.5);
  switch (coordinates) {
    case 'half_pixel':
      return centred;
    case 'half_pixel_symmetric': {
      const adjustment = f32(to / f32(from * scale));
      return f32(f32((from / 2) * f32(1 - adjustment)) + centred);
    }
    case 'pytorch_half_pixel':
      return to > 1 ? centred : 0;
    case 'tf_half_pixel_for_nn':
      return f32(f32(i + 0.5) / scale);
    case 'align_corners':
      return to > 1 ? f32(f32(i * (from - 1)) / (to - 1)) : 0;
    default:
      return f32(i / scale);
  }
}

function nearestIndex(x: number, rounding: string): number {
  switch (rounding) {
    case 'round_prefer_ceil':
      return Math.floor(x + 0.5);
    case 'floor':
      return Math.floor(x);
    case 'ceil':
      return Math.ceil(x);
    default:
      return Math.ceil(x - 0.5);
  }
}

/** The cubic convolution kernel (Keys 1981) with parameter a. */
function cubic(distance: number, a: number): number {
  const d = Math.abs(distance);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
}

/**
 * The input pixels that contribute to an output at position x, with their weights. The sum of the
 * weights is 1.
 */
function weightsAt(
  x: number,
  from: number,
  scale: number,
  mode: Mode,
): [index: number, weight: number][] {
  const clamp = (index: number): number => Math.min(Math.max(index, 0), from - 1);
  if (mode.kind === 'nearest') return [[clamp(nearestIndex(x, mode.nearest)), 1]];
  const stretch = mode.antialias && scale < 1 ? scale : 1;
  const support = (mode.kind === 'cubic' ? 2 : 1) / stretch;
  const kernel = (d: number): number =>
    mode.kind === 'cubic' ? cubic(d * stretch, mode.cubic) : Math.max(0, 1 - Math.abs(d * stretch));
  const weights: [number, number][] = [];
  for (let i = Math.ceil(x - support); i <= Math.floor(x + support); i++) {
    const outside = i < 0 || i >= from;
    if (outside && mode.excludeOutside) continue;
    weights.push([clamp(i), kernel(x - i)]);
  }
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return weights.map(([index, weight]) => [index, weight / total]);
}

function matrix(axis: number, from: number, to: number, scale: number, mode: Mode): ResizeMatrix {
  const values = new Float32Array(from * to);
  for (let i = 0; i < to; i++) {
    const x = position(i, from, to, scale, mode.coordinates);
    const inner =
      mode.kind === 'linear' && !mode.antialias ? Math.min(Math.max(x, 0), from - 1) : x;
    for (const [index, weight] of weightsAt(inner, from, scale, mode))
      values[i * from + index] = elementAt(values, i * from + index) + weight;
  }
  return { axis, rows: to, columns: from, values };
}

/**
 * The matrices of a Resize or Upsample node, one per axis that it changes.
 * @throws FoveaError `unsupported` if sizes are not known or too large, or for
 * `tf_crop_and_resize`.
 */
export function resizeMatrices(at: RuleContext): ResizeMatrix[] {
  const { node, opset } = at;
  const [from, to] = [at.shape(0), at.ops.shape(elementAt(node.outputs, 0))];
  const old = node.opType === 'Upsample' || opset < 11;
  const mode: Mode = {
    kind: stringAttribute(node, 'mode', 'nearest').replace('bilinear', 'linear'),
    coordinates: old
      ? 'asymmetric'
      : stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel'),
    nearest: old ? 'floor' : stringAttribute(node, 'nearest_mode', 'round_prefer_floor'),
    cubic: floatAttribute(node, 'cubic_coeff_a', -0.75),
    excludeOutside: intAttribute(node, 'exclude_outside', 0) === 1,
    antialias: intAttribute(node, 'antialias', 0) === 1,
  };
  if (mode.coordinates === 'tf_crop_and_resize')
    at.refuse('a coordinate_transformation_mode other than tf_crop_and_resize');
  const scales = scalesOf(at, old);
  const axes = intsAttribute(
    node,
    'axes',
    from.map((_, axis) => axis),
  ).map((axis) => (axis < 0 ? axis + from.length : axis));
  let elements = 0;
  return axes.flatMap((axis, i) => {
    const [size, target] = [from[axis], to[axis]];
    const scale = scales?.[i];
    if (size === target || scale === 1) return [];
    if (typeof size !== 'number' || typeof target !== 'number')
      return at.refuse('the sizes of its input and output');
    if (size === 0) return at.refuse('an input with elements');
    if (scale !== undefined && !(Math.abs(Math.floor(size * scale) - target) <= 1))
      return at.refuse(`a scale that resizes ${size} to ${target}, not ${scale}`);
    elements += size * target;
    checkConstant(at, elements);
    return [matrix(axis, size, target, f32(scale ?? target / size), mode)];
  });
}

function scalesOf(at: RuleContext, old: boolean): readonly number[] | undefined {
  if (at.node.opType === 'Upsample' && !at.has(1)) return floatsAttribute(at.node, 'scales');
  const scales = at.has(old ? 1 : 2) ? at.numbers(old ? 1 : 2) : null;
  return scales && scales.length > 0 ? scales : undefined;
}
