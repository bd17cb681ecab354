import { ruleSets } from '../autodiff/index.ts';
import { ablationCam } from './ablation-cam.ts';
import { attentionGradient } from './attention-gradient.ts';
import { attentionRollout } from './attention-rollout.ts';
import { auto } from './auto.ts';
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
import { hsic } from './hsic.ts';
import { iGos } from './i-gos.ts';
import { iassa } from './iassa/iassa.ts';
import { iassa2020 } from './iassa-2020/iassa-2020.ts';
import { iia } from './iia/iia.ts';
import { integratedGradients } from './integrated-gradients.ts';
import { kernelShap } from './kernel-shap.ts';
import { layerCam } from './layer-cam.ts';
import { liftCam } from './lift-cam.ts';
import { lima } from './lima.ts';
import { lime } from './lime.ts';
import { lrp } from './lrp.ts';

import { type Method, methods } from './method.ts';
import { occlusion } from './occlusion.ts';
import { oise } from './oise/oise.ts';
import { phasewin } from './phasewin.ts';
import { random } from './random.ts';
import { reciproCam } from './recipro-cam.ts';
import { rex } from './rex/rex.ts';
import { rise } from './rise.ts';
import { builtInRules } from './rule-sets.ts';
import { sag } from './sag/sag.ts';
import { scoreCam } from './score-cam.ts';
import { smoothgrad } from './smoothgrad.ts';
import { sobol } from './sobol.ts';
import { tAttr } from './t-attr.ts';
import { xgradCam } from './xgrad-cam.ts';
import { xrai } from './xrai.ts';

/**
 * Every method of Fovea. A new method needs a file, a line here, a test and a page in docs/methods.
 */
const BUILT_IN = {
  auto: auto,
  iassa: iassa,
  'iassa-2020': iassa2020,
  iia: iia,
  rise: rise,
  occlusion: occlusion,
  oise: oise,
  lime: lime,
  'kernel-shap': kernelShap,
  sobol: sobol,
  hsic: hsic,
  lima: lima,
  phasewin: phasewin,
  sag: sag,
  rex: rex,
  'grad-cam': gradCam,
  'grad-cam-plus-plus': gradCamPlusPlus,
  'xgrad-cam': xgradCam,
  'hires-cam': hiresCam,
  'layer-cam': layerCam,
  'eigen-cam': eigenCam,
  'score-cam': scoreCam,
  'ablation-cam': ablationCam,
  'lift-cam': liftCam,
  'recipro-cam': reciproCam,
  gradient: gradient,
  'gradient-x-input': gradientXInput,
  'integrated-gradients': integratedGradients,
  'expected-gradients': expectedGradients,
  'i-gos': iGos,
  'guided-ig': guidedIg,
  'blur-ig': blurIg,
  xrai: xrai,
  smoothgrad: smoothgrad,
  'guided-backprop': guidedBackprop,
  deconvnet: deconvnet,
  fullgrad: fullgrad,
  'deep-lift': deepLift,
  lrp: lrp,
  'excitation-backprop': excitationBackprop,
  'attention-rollout': attentionRollout,
  'attention-gradient': attentionGradient,
  gae: gae,
  't-attr': tAttr,
  random: random,
  centre: centre,
};

declare module './method.ts' {
  interface MethodMap extends BuiltIn {}
}

type BuiltIn = typeof BUILT_IN;

methods.register(...Object.values(BUILT_IN));
ruleSets.register(...builtInRules);

export { describeOptions, type OptionDescription } from '../option-words.ts';
export {
  type OptionsSchema,
  option,
  parseOptions,
} from '../options.ts';
export {
  type Attribution,
  defineMethod,
  type LayerMap,
  type MethodContext,
  type MethodMap,
  type MethodName,
  type MethodOptions,
  type Need,
  type PartialMap,
} from './method.ts';
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
// Exported from here, because the types of BUILT_IN refer to Method in the declaration file.
export { type Method, methods };
