import { adcc } from './adcc.ts';
import { aic } from './aic.ts';
import { averageDrop } from './average-drop.ts';
import { averageDropInDeletion } from './average-drop-in-deletion.ts';
import { averagePrecision } from './average-precision.ts';
import { completeness } from './completeness.ts';
import { complexity } from './complexity.ts';
import { confidenceAtArea } from './confidence-at-area.ts';
import { deletion } from './deletion.ts';
import { f1 } from './f1.ts';
import { increaseInConfidence } from './increase-in-confidence.ts';
import { infidelity } from './infidelity.ts';
import { insertion } from './insertion.ts';
import { iou } from './iou.ts';
import { maxSensitivity } from './max-sensitivity.ts';
import { meanIou } from './mean-iou.ts';
import { type Metric, metrics } from './metric.ts';
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
import { saco } from './saco.ts';
import { sic } from './sic.ts';
import { singleDeletion } from './single-deletion.ts';
import { sparseness } from './sparseness.ts';

/**
 * Every metric of Fovea. A new metric needs a file, a line here, a test and a row in
 * docs/metrics/README.md.
 */
const BUILT_IN = {
  deletion,
  insertion,
  'confidence-at-area': confidenceAtArea,
  'single-deletion': singleDeletion,
  saco,
  'positive-perturbation': positivePerturbation,
  'negative-perturbation': negativePerturbation,
  'average-drop': averageDrop,
  'increase-in-confidence': increaseInConfidence,
  'average-drop-in-deletion': averageDropInDeletion,
  adcc,
  road,
  sic,
  aic,
  infidelity,
  'mu-fidelity': muFidelity,
  'max-sensitivity': maxSensitivity,
  'pointing-game': pointingGame,
  iou,
  f1,
  'pixel-accuracy': pixelAccuracy,
  'mean-iou': meanIou,
  'average-precision': averagePrecision,
  'relevance-mass': relevanceMass,
  'relevance-rank': relevanceRank,
  'model-randomization': modelRandomization,
  'random-logit': randomLogit,
  completeness,
  sparseness,
  complexity,
};

type BuiltIn = typeof BUILT_IN;

declare module './metric.ts' {
  interface MetricMap extends BuiltIn {}
}

metrics.register(...Object.values(BUILT_IN));

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
// Exported from here, because the types of BUILT_IN refer to Metric in the declaration file.
export { type Metric, metrics };
