import { FoveaError } from '../errors.ts';
import { ablationCam } from './ablation-cam.ts';
import { attentionGradient } from './attention-gradient.ts';
import { attentionRollout } from './attention-rollout.ts';
import { blurIg } from './blur-ig.ts';
import { centre } from './centre.ts';
import { deconvnet } from './deconvnet.ts';
import { deepLift } from './deep-lift.ts';
import { eigenCam } from './eigen-cam.ts';
import { excitationBackprop } from './excitation-backprop.ts';
import { expectedGradients } from './expected-gradients.ts';
import { fullgrad } from './fullgrad.ts';
import { gae } from './gae.ts';
import { gradCam } from './grad-cam.ts';
import { gradCamPlusPlus } from './grad-cam-plus-plus.ts';
import { gradient } from './gradient.ts';
import { gradientXInput } from './gradient-x-input.ts';
import { guidedBackprop } from './guided-backprop.ts';
import { guidedIg } from './guided-ig.ts';
import { hiresCam } from './hires-cam.ts';
import { iGos } from './i-gos.ts';
import { iassa } from './iassa/iassa.ts';
import { iia } from './iia/iia.ts';
import { integratedGradients } from './integrated-gradients.ts';
import { kernelShap } from './kernel-shap.ts';
import { layerCam } from './layer-cam.ts';
import { liftCam } from './lift-cam.ts';
import { lime } from './lime.ts';
import { lrp } from './lrp.ts';

import type { Method } from './method.ts';
import { occlusion } from './occlusion.ts';
import { oise } from './oise/oise.ts';
import { random } from './random.ts';
import { reciproCam } from './recipro-cam.ts';
import { rise } from './rise.ts';
import { sag } from './sag/sag.ts';
import { scoreCam } from './score-cam.ts';
import { smoothgrad } from './smoothgrad.ts';
import { sobol } from './sobol.ts';
import { tAttr } from './t-attr.ts';
import { xgradCam } from './xgrad-cam.ts';
import { xrai } from './xrai.ts';

/** Every method there is. Adding one: a file, a line here, a test, a page in docs/methods. */
const all = [
  iassa,
  iia,
  rise,
  occlusion,
  oise,
  lime,
  kernelShap,
  sobol,
  sag,
  gradCam,
  gradCamPlusPlus,
  xgradCam,
  hiresCam,
  layerCam,
  eigenCam,
  scoreCam,
  ablationCam,
  liftCam,
  reciproCam,
  gradient,
  gradientXInput,
  integratedGradients,
  expectedGradients,
  iGos,
  guidedIg,
  blurIg,
  xrai,
  smoothgrad,
  guidedBackprop,
  deconvnet,
  fullgrad,
  deepLift,
  lrp,
  excitationBackprop,
  attentionRollout,
  attentionGradient,
  gae,
  tAttr,
  random,
  centre,
] as unknown as readonly Method[];

/** The methods by name, in the order they are listed to users. */
export const methods: ReadonlyMap<string, Method> = new Map(
  all.map((method) => [method.name, method]),
);

/**
 * A method by its name.
 * @throws FoveaError `usage` listing the names there are.
 */
export function findMethod(name: string): Method {
  const method = methods.get(name);
  if (!method)
    throw new FoveaError(
      'usage',
      `unknown method "${name}": expected one of ${[...methods.keys()].join(', ')}`,
    );
  return method;
}

export { describeOptions, type OptionDescription, parseOptions } from '../options.ts';
export * from './method.ts';
export {
  createPatchScorer,
  type PatchLayout,
  type PatchScorer,
  type PatchScorerOptions,
  type PatchShape,
} from './sag/patch-scorer.ts';
export { sagScorer } from './sag/sag.ts';
export {
  formulaOf,
  parseSag,
  type Sag,
  type SagEdge,
  type SagNode,
  sagSchema,
} from './sag/schema.ts';
export { type SagStatistics, sagStatistics } from './sag/statistics.ts';
