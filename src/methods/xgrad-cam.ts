import * as v from 'valibot';
import { at } from '../tensor/at.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import { camOptions, channelSums, explainCam, warnIfGradCam, weightedSum } from './shared/cam.ts';

/** Keeps the weight of a channel without activation finite. */
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
 * XGrad-CAM: as Grad-CAM, but the gradient is averaged with the activations as weights, so that the
 * map adds up to the score where the head is nearly linear.
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
