import * as v from 'valibot';
import { defineMethod } from './method.ts';
import { camOptions, channelSums, explainCam, weightedSum } from './shared/cam.ts';

/**
 * Grad-CAM: the channels of a feature map, weighted by the mean gradient of the score over their
 * cells.
 *
 *   w_c = 1 / (h w) · sum_ij dS / dA_cij,   map = sum_c w_c A_c
 */
export const gradCam = defineMethod({
  name: 'grad-cam',
  title: 'Grad-CAM',
  family: 'gradient',
  paper:
    'Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based ' +
    'Localization, ICCV 2017, arXiv:1610.02391',
  needs: ['gradients', 'features'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: v.object(camOptions),

  explain: (context) =>
    explainCam(context, (a, g) => {
      const [, height = 0, width = 0] = a.shape;
      const area = height * width;
      return weightedSum(
        a,
        channelSums(a, g, (_, gradient) => gradient / area),
      );
    }),
});
