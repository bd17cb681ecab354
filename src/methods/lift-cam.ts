import * as v from 'valibot';
import { deepLift as rules } from '../autodiff/index.ts';
import { INPUT } from '../model/model.ts';
import { at } from '../tensor/at.ts';
import { areClose } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import { camOptions } from './shared/cam.ts';
import { channelSums, channelsFirst, weightedSum } from './shared/channel-maps.ts';
import { gradientsOf } from './shared/gradients.ts';
import { explainLayers } from './shared/head.ts';

const LIKE_ABLATION =
  'the scores are linear in the layer, so this map equals the map of ablation-cam up to a ' +
  'factor: choose an earlier layer to see a difference';

/**
 * LIFT-CAM (Jung & Oh 2021): the weight of a channel is its DeepLIFT contribution to the score,
 * compared with a feature map of zeros. The multipliers m are those of DeepLIFT. The map [H, W] is
 * signed.
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
  cost: '1 forward, and 3 forward and 2 backward through the head only',
  options: v.object(camOptions),

  async explain(context) {
    const bent = new Set<number>(); // the classes whose multipliers differ from the gradients
    const attributions = await explainLayers(
      context,
      async ({ name, values, layout, activations }, target, report) => {
        const { model, options, batchSize } = context;
        const request = {
          batch: values,
          at: name,
          wrt: [INPUT],
          targets: [target],
          score: options.output,
          batchSize,
        };
        const reference = tensor(values.shape);
        const { gradients } = await gradientsOf(model, { ...request, rules, reference });
        const plain = (await gradientsOf(model, request)).gradients;
        const own = at(gradients, 0);
        if (!areClose(own.data, at(plain, 0).data)) bent.add(target);
        const multipliers = channelsFirst(own, 0, layout);
        report(1);
        return weightedSum(
          activations,
          channelSums(activations, multipliers, (a, m) => a * m),
        );
      },
    );
    return attributions.map((attribution, t) => ({
      ...attribution,
      warnings: bent.has(at(context.targets, t).index) ? [] : [LIKE_ABLATION],
    }));
  },
});
