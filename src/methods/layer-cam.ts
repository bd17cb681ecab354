import * as v from 'valibot';
import { defineMethod } from './method.ts';
import { camOptions, cellSums, explainCam, warnIfPositiveGradCam } from './shared/cam.ts';

/**
 * LayerCAM: each cell weighted by its own gradient where that is positive; works on early, fine
 * layers too.
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
