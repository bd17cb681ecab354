import * as v from 'valibot';
import { defineMethod } from './method.ts';
import { camOptions, explainCam } from './shared/cam.ts';
import { channelSums, weightedSum } from './shared/channel-maps.ts';

/**
 * Grad-CAM (Selvaraju et al. 2017): the sum of the channels of a feature map. The weight of a
 * channel is the mean gradient of the score over its cells. The map [H, W] is signed; a positive
 * value is evidence for the class.
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
