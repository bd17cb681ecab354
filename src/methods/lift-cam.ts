import * as v from 'valibot';
import { deepLift as rules } from '../autodiff/index.ts';
import { INPUT } from '../model/model.ts';
import { tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import { camOptions, channelSums, weightedSum } from './shared/cam.ts';
import { gradientsOf } from './shared/gradients.ts';
import { explainLayers } from './shared/head.ts';
import { channelsFirst } from './shared/layers.ts';

/**
 * LIFT-CAM: channels weigh what DeepLIFT says that they contribute to the score, compared with a
 * feature map of zeros.
 *
 *   w_c = Σ_ij m_cij A_cij,   map = Σ_c w_c A_c
 */
export const liftCam = defineMethod({
  name: 'lift-cam',
  title: 'LIFT-CAM',
  family: 'gradient',
  paper:
    'Jung & Oh, Towards Better Explanations of Class Activation Mapping, ICCV 2021, ' +
    'arXiv:2102.05228',
  needs: ['gradients', 'features'],
  signed: true,
  cost: '1 forward, and 2 forward and 1 backward through the head only',
  options: v.object(camOptions),

  explain: (context) =>
    explainLayers(context, async ({ name, values, layout, activations }, target, report) => {
      const { model, options, batchSize } = context;
      const request = {
        batch: values,
        at: name,
        wrt: [INPUT],
        targets: [target],
        score: options.output,
        batchSize,
      };
      const { gradients } = await gradientsOf(model, {
        ...request,
        rules,
        reference: tensor(values.shape),
      });
      const multipliers = channelsFirst(gradients[0], 0, layout);
      report(1);
      return weightedSum(
        activations,
        channelSums(activations, multipliers, (a, m) => a * m),
      );
    }),
});
