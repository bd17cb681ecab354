import { intAttribute } from '../attributes.ts';
import { dataTypeName } from '../data-types.ts';
import type { Shape } from '../graph.ts';
import { each } from '../operators.ts';
import {
  inputAt,
  normalizeAxis,
  type RuleTable,
  type ShapeRule,
  sameAsInput,
  tensorInfo,
} from './rule.ts';

/** y, and the mean and 1/deviation over the axes from `axis` on. */
const layerNormalization: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  const statisticsType = dataTypeName(intAttribute(at.node, 'stash_type', 1));
  const statistics = tensorInfo(
    statisticsType,
    shape && statisticsShape(shape, intAttribute(at.node, 'axis', -1)),
  );
  return [tensorInfo(type, shape), statistics, statistics];
};

function statisticsShape(shape: Shape, axis: number): Shape {
  const from = normalizeAxis(axis, shape.length);
  return shape.map((dim, i) => (i < from ? dim : 1));
}

/** y, the mean, 1/deviation, and the sum that was normalized. */
const skipLayerNormalization: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  const statistics = tensorInfo('float32', shape && statisticsShape(shape, -1));
  return [tensorInfo(type, shape), statistics, statistics, tensorInfo(type, shape)];
};

/** y, and in training mode also the running statistics, with one element per channel. */
const batchNormalization: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  const running = at.inputs
    .slice(3, 5)
    .map((statistic) => tensorInfo(statistic.type, statistic.shape));
  return [tensorInfo(type, shape), ...running];
};

/** Shape rules of normalisations. */
export const normalization: RuleTable = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  SimplifiedLayerNormalization: layerNormalization,
  'com.microsoft:SkipLayerNormalization': skipLayerNormalization,
  'com.microsoft:SkipSimplifiedLayerNormalization': skipLayerNormalization,
  ...each(
    'InstanceNormalization GroupNormalization LRN LpNormalization MeanVarianceNormalization',
    sameAsInput,
  ),
  ...each('RMSNormalization com.microsoft:GroupNorm', sameAsInput),
};
