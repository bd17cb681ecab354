import * as v from 'valibot';
import { sum } from '../tensor/statistics.ts';
import { defineMethod } from './method.ts';
import { camOptions, explainCam } from './shared/cam.ts';
import { weightedSum } from './shared/channel-maps.ts';

/** Added to the divisor of α, so that α is finite. */
const EPSILON = 1e-6;

/**
 * Grad-CAM++ (Chattopadhay et al. 2018): Grad-CAM with a weight α for the positive gradient of each
 * cell, so that several objects of the class count equally. The paper derives α for the exponential
 * of the score. The exponential adds a positive factor that only scales the map, so it is left out.
 * With g = dS / dA:
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
