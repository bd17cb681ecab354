import { z } from 'zod';
import { INPUT } from '../model/model.ts';
import { tensor } from '../tensor/tensor.ts';
import { camOptions, channelSums, fromLayers, weightedSum } from './internal/cam.ts';
import { gradientsOf } from './internal/gradients.ts';
import { readLayers } from './internal/head.ts';
import { channelsFirst, chooseLayers } from './internal/layers.ts';
import { type Attribution, defineMethod, type LayerMap } from './method.ts';

/**
 * LIFT-CAM: channels weigh what DeepLIFT says that they contribute to the score, compared with a feature map of zeros.
 *
 *   w_c = Σ_ij m_cij A_cij,   map = Σ_c w_c A_c
 */
export const liftCam = defineMethod({
  name: 'lift-cam',
  title: 'LIFT-CAM',
  family: 'gradient',
  paper: 'Jung & Oh, Towards Better Explanations of Class Activation Mapping, ICCV 2021, arXiv:2102.05228',
  needs: ['gradients', 'features'],
  signed: true,
  cost: '1 forward, and 2 forward and 1 backward through the head only',
  options: z.object(camOptions),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const [, , height, width] = input.shape;
    const layers = await readLayers(model, chooseLayers(model, options.layer), input);
    const attributions: Attribution[] = [];
    for (const [t, { index }] of targets.entries()) {
      const maps: LayerMap[] = [];
      for (const { name, values, layout, activations } of layers) {
        const request = { batch: values, at: name, wrt: [INPUT], targets: [index], score: options.output, batchSize };
        const { gradients } = await gradientsOf(model, { ...request, rules: 'deep-lift', reference: tensor(values.shape) });
        const multipliers = channelsFirst(gradients[0], 0, layout);
        const weights = channelSums(activations, multipliers, (a, m) => a * m);
        maps.push({ layer: name, map: weightedSum(activations, weights) });
      }
      attributions.push(fromLayers(maps, options.relu, height, width));
      progress((t + 1) / targets.length);
    }
    return attributions;
  },
});
