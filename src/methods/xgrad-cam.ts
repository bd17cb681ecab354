import * as v from 'valibot';
import { at } from '../tensor/at.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import { camOptions, explainCam, warnIfGradCam } from './shared/cam.ts';
import { channelSums, weightedSum } from './shared/channel-maps.ts';

/** Added to the divisor, so that a channel without activation has a finite weight. */
const EPSILON = 1e-7;

function weigh(a: Tensor, g: Tensor): Tensor {
  const products = channelSums(a, g, (activation, gradient) => activation * gradient);
  const sums = channelSums(a, g, (activation) => activation);
  return weightedSum(
    a,
    products.map((product, c) => product / (at(sums, c) + EPSILON)),
  );
}

/**
 * XGrad-CAM (Fu et al. 2020): as Grad-CAM, but the weight of a channel is the mean gradient
 * weighted by the activations. If the head is nearly linear, the map adds up to the score. The map
 * [H, W] is signed and in the unit of the score.
 *
 *   w_c = sum_ij A_cij dS / dA_cij / sum_ij A_cij,   map = sum_c w_c A_c
 */
export const xgradCam = defineMethod({
  name: 'xgrad-cam',
  title: 'XGrad-CAM',
  family: 'gradient',
  paper:
    'Fu et al., Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of ' +
    'CNNs, BMVC 2020, arXiv:2008.02312',
  needs: ['gradients', 'features'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: v.object(camOptions),

  explain: (context) => explainCam(context, weigh, warnIfGradCam),
});
