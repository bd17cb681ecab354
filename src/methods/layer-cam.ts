import * as v from 'valibot';
import { defineMethod } from './method.ts';
import { camOptions, explainCam, warnIfPositiveGradCam } from './shared/cam.ts';
import { cellSums } from './shared/channel-maps.ts';

/**
 * LayerCAM (Jiang et al. 2021): the weight of each cell is its own gradient if the gradient is
 * positive, and 0 otherwise. It also works on early, fine layers. The map [H, W] has the unit of
 * the score.
 *
 *   map = sum_c max(dS / dA_c, 0) ⊙ A_c
 */
export const layerCam = defineMethod({
  name: 'layer-cam',
  title: 'LayerCAM',
  family: 'gradient',
  paper:
    'Jiang et al., LayerCAM: Exploring Hierarchical Class Activation Maps for Localization, ' +
    'IEEE TIP 2021',
  needs: ['gradients', 'features'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: v.object(camOptions),

  explain: (context) =>
    explainCam(
      context,
      (a, g) => cellSums(a, g, (activation, gradient) => activation * Math.max(gradient, 0)),
      warnIfPositiveGradCam,
    ),
});
