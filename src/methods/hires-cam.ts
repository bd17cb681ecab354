import * as v from 'valibot';
import { defineMethod } from './method.ts';
import { camOptions, explainCam, warnIfGradCam } from './shared/cam.ts';
import { cellSums } from './shared/channel-maps.ts';

/**
 * HiResCAM (Draelos & Carin 2020): activation times gradient in each cell. The gradient is not
 * averaged over the channel first. The map [H, W] is signed and in the unit of the score.
 *
 *   map = sum_c A_c ⊙ dS / dA_c
 */
export const hiresCam = defineMethod({
  name: 'hires-cam',
  title: 'HiResCAM',
  family: 'gradient',
  paper:
    'Draelos & Carin, Use HiResCAM instead of Grad-CAM for faithful explanations of ' +
    'convolutional neural networks, 2020, arXiv:2011.08891',
  needs: ['gradients', 'features'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: v.object(camOptions),

  explain: (context) =>
    explainCam(
      context,
      (a, g) => cellSums(a, g, (activation, gradient) => activation * gradient),
      warnIfGradCam,
    ),
});
