import * as v from 'valibot';
import { sum } from '../tensor/statistics.ts';
import { defineMethod } from './method.ts';
import { camOptions, explainCam, weightedSum } from './shared/cam.ts';

/** Keeps the share of a cell finite. */
const EPSILON = 1e-6;

/**
 * Grad-CAM++: a cell's positive gradient counts by the share that makes several objects of the
 * class weigh alike. With g = dS / dA for the exponential of the score, whose positive factor falls
 * out of the map up to scale:
 *
 *   α_cij = g² / (2 g² + sum_kl A_ckl · g³)
 *   w_c = sum_ij α_cij max(g, 0),   map = sum_c w_c A_c
 */
export const gradCamPlusPlus = defineMethod({
  name: 'grad-cam-plus-plus',
  title: 'Grad-CAM++',
  family: 'gradient',
  paper:
    'Chattopadhay et al., Grad-CAM++: Improved Visual Explanations for Deep Convolutional ' +
    'Networks, WACV 2018, arXiv:1710.11063',
  needs: ['gradients', 'features'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: v.object(camOptions),

  explain: (context) =>
    explainCam(context, (a, g) => {
      const [channels = 0, height = 0, width = 0] = a.shape;
      const area = height * width;
      const weights = Float64Array.from({ length: channels }, (_, c) => {
        const gradients = g.data.subarray(c * area, (c + 1) * area);
        const total = sum(a.data.subarray(c * area, (c + 1) * area));
        let weight = 0;
        for (const gradient of gradients) {
          const share = gradient ** 2 / (2 * gradient ** 2 + total * gradient ** 3 + EPSILON);
          weight += share * Math.max(gradient, 0);
        }
        return weight;
      });
      return weightedSum(a, weights);
    }),
});
