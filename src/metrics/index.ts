import { FoveaError } from '../errors.ts';
import { aic } from './aic.ts';
import { averageDrop } from './average-drop.ts';
import { averageDropInDeletion } from './average-drop-in-deletion.ts';
import { averagePrecision } from './average-precision.ts';
import { completeness } from './completeness.ts';
import { complexity } from './complexity.ts';
import { deletion } from './deletion.ts';
import { f1 } from './f1.ts';
import { increaseInConfidence } from './increase-in-confidence.ts';
import { infidelity } from './infidelity.ts';
import { insertion } from './insertion.ts';
import { iou } from './iou.ts';
import { maxSensitivity } from './max-sensitivity.ts';
import { meanIou } from './mean-iou.ts';
import type { Metric } from './metric.ts';
import { modelRandomization } from './model-randomization.ts';
import { muFidelity } from './mu-fidelity.ts';
import { negativePerturbation } from './negative-perturbation.ts';
import { pixelAccuracy } from './pixel-accuracy.ts';
import { pointingGame } from './pointing-game.ts';
import { positivePerturbation } from './positive-perturbation.ts';
import { randomLogit } from './random-logit.ts';
import { relevanceMass } from './relevance-mass.ts';
import { relevanceRank } from './relevance-rank.ts';
import { road } from './road.ts';
import { sic } from './sic.ts';
import { sparseness } from './sparseness.ts';

/** Every metric there is. Adding one: a file, a line here, a test. */
const all: readonly Metric[] = [
  deletion,
  insertion,
  positivePerturbation,
  negativePerturbation,
  averageDrop,
  increaseInConfidence,
  averageDropInDeletion,
  road,
  sic,
  aic,
  infidelity,
  muFidelity,
  maxSensitivity,
  pointingGame,
  iou,
  f1,
  pixelAccuracy,
  meanIou,
  averagePrecision,
  relevanceMass,
  relevanceRank,
  modelRandomization,
  randomLogit,
  completeness,
  sparseness,
  complexity,
];

/** The metrics by name, in the order they are listed to users. */
export const metrics: ReadonlyMap<string, Metric> = new Map(
  all.map((metric) => [metric.name, metric]),
);

/**
 * A metric by its name.
 * @throws FoveaError `usage` listing the names there are.
 */
export function findMetric(name: string): Metric {
  const metric = metrics.get(name);
  if (!metric)
    throw new FoveaError(
      'usage',
      `unknown metric "${name}": expected one of ${[...metrics.keys()].join(', ')}`,
    );
  return metric;
}

export {
  activatedPixels,
  curveLevel,
  dataSetLevel,
  imageLevel,
  type LevelAverage,
  type LevelSample,
  pixelLevel,
} from './levels.ts';
export * from './metric.ts';
export { pixelOrder } from './shared/ranks.ts';
