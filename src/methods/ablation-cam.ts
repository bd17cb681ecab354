import * as v from 'valibot';
import { offsetOf } from '../model/model.ts';
import { at } from '../tensor/at.ts';
import { defineMethod } from './method.ts';
import { camOptions } from './shared/cam.ts';
import { weightedSum } from './shared/channel-maps.ts';
import { explainLayers, headScores } from './shared/head.ts';

/**
 * Ablation-CAM (Desai & Ramaswamy 2020): the weight of a channel is the share of the score that is
 * lost if the channel is set to zero. The map [H, W] is signed and in the unit of the activations.
 *
 *   w_c = (S - S with A_c = 0) / S,   map = sum_c w_c A_c
 */
export const ablationCam = defineMethod({
  name: 'ablation-cam',
  title: 'Ablation-CAM',
  family: 'gradient',
  paper:
    'Desai & Ramaswamy, Ablation-CAM: Visual Explanations for Deep Convolutional Network via ' +
    'Gradient-free Localization, WACV 2020',
  needs: ['features', 'gradients'],
  signed: true,
  cost: '1, and (channels of the layer + 1) through the head only: 1282 for mobilenet_v2',
  options: v.object(camOptions),

  explain: (context) =>
    explainLayers(context, async (layer, target, report) => {
      const { layout, activations } = layer;
      const [channels = 0, h = 0, w = 0] = activations.shape;
      const scores = await headScores({
        model: context.model,
        layer,
        target,
        score: context.options.output,
        batchSize: context.batchSize,
        count: channels + 1, // the last copy is the unchanged feature map
        alter: (c, values) => {
          if (c < channels)
            for (let cell = 0; cell < h * w; cell++) values[offsetOf(layout, c, cell)] = 0;
        },
        onProgress: (done) => report(done / (channels + 1)),
      });
      const whole = at(scores, channels);
      const weights = scores
        .subarray(0, channels)
        .map((score) => (whole === 0 ? 0 : (whole - score) / whole));
      return weightedSum(activations, weights);
    }),
});
