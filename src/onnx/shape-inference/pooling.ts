import { intAttribute, intsAttribute } from '../attributes.ts';
import type { Shape } from '../graph.ts';
import { each } from '../operators.ts';
import { inputAt, type RuleContext, type RuleTable, type ShapeRule, tensorInfo } from './rule.ts';
import { outputDim, readWindow } from './window.ts';

function pooled(at: RuleContext, shape: Shape | null): Shape | null {
  const kernel = intsAttribute(at.node, 'kernel_shape', []);
  if (shape === null) return null;
  const window = readWindow(at.node, kernel.length);
  return [
    ...shape.slice(0, 2),
    ...kernel.map((size, i) => outputDim(shape[i + 2] ?? null, size, i, window)),
  ];
}

const pool: ShapeRule = (at) => {
  const x = inputAt(at, 0);
  const shape = pooled(at, x.shape);
  return [tensorInfo(x.type, shape), tensorInfo('int64', shape)];
};

const globalPool: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  return [tensorInfo(type, shape?.map((dim, axis) => (axis < 2 ? dim : 1)) ?? null)];
};

/** The rule of quantized pooling. With `channels_last` the channels are the last axis. */
function quantizedPool(rule: (at: RuleContext, shape: Shape) => Shape | null): ShapeRule {
  return (at) => {
    const { type, shape } = inputAt(at, 0);
    if (shape === null) return [tensorInfo(type, null)];
    if (intAttribute(at.node, 'channels_last', 0) === 0) return [tensorInfo(type, rule(at, shape))];
    const [n = null, ...rest] = shape;
    const result = rule(at, [n, ...rest.slice(-1), ...rest.slice(0, -1)]);
    return [
      tensorInfo(
        type,
        result && [...result.slice(0, 1), ...result.slice(2), ...result.slice(1, 2)],
      ),
    ];
  };
}

const roiPool: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  const rois = inputAt(at, 1).shape?.[0] ?? null;
  const size = intsAttribute(at.node, 'pooled_shape', [
    intAttribute(at.node, 'output_height', 1),
    intAttribute(at.node, 'output_width', 1),
  ]);
  return [tensorInfo(type, [rois, shape?.[1] ?? null, ...size])];
};

/** Shape rules of pooling. */
export const pooling: RuleTable = {
  ...each('MaxPool AveragePool LpPool', pool),
  ...each('GlobalAveragePool GlobalMaxPool GlobalLpPool', globalPool),
  ...each('MaxRoiPool RoiAlign', roiPool),
  'com.microsoft:QLinearAveragePool': quantizedPool(pooled),
  'com.microsoft:QLinearGlobalAveragePool': quantizedPool((_, shape) => [
    ...shape.slice(0, 2),
    ...shape.slice(2).map(() => 1),
  ]),
};
