import { z } from 'zod';
import { offsetOf } from '../model/model.ts';
import { camOptions, fromLayers, weightedSum } from './internal/cam.ts';
import { headScores, readLayers } from './internal/head.ts';
import { chooseLayers } from './internal/layers.ts';
import { type Attribution, defineMethod, type LayerMap } from './method.ts';

/**
 * Ablation-CAM: a channel weighs what share of the score is lost without it. What is ablated becomes exactly zero.
 *
 *   w_c = (S - S with A_c = 0) / S,   map = sum_c w_c A_c
 */
export const ablationCam = defineMethod({
  name: 'ablation-cam',
  title: 'Ablation-CAM',
  family: 'gradient',
  paper: 'Desai & Ramaswamy, Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free Localization, WACV 2020',
  needs: ['features', 'gradients'],
  signed: true,
  cost: '1, and the channels of the layer + 1 through the head only: 1282 for mobilenet_v2',
  options: z.object(camOptions),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const [, , height, width] = input.shape;
    const layers = await readLayers(model, chooseLayers(model, options.layer), input);
    const attributions: Attribution[] = [];
    for (const [t, { index }] of targets.entries()) {
      const maps: LayerMap[] = [];
      for (const [l, layer] of layers.entries()) {
        const { layout, activations } = layer;
        const [channels, h, w] = activations.shape;
        const scores = await headScores({
          model,
          layer,
          target: index,
          score: options.output,
          batchSize,
          count: channels + 1, // the last one is the feature map as it is
          alter: (c, values) => {
            if (c < channels) for (let cell = 0; cell < h * w; cell++) values[offsetOf(layout, c, cell)] = 0;
          },
          onProgress: (done) => progress((t + (l + done / (channels + 1)) / layers.length) / targets.length),
        });
        const whole = scores[channels];
        const weights = scores.subarray(0, channels).map((score) => (whole === 0 ? 0 : (whole - score) / whole));
        maps.push({ layer: layer.name, map: weightedSum(activations, weights) });
      }
      attributions.push(fromLayers(maps, options.relu, height, width));
    }
    return attributions;
  },
});
