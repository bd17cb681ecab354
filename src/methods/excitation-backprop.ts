import * as v from 'valibot';
import { lrp } from '../autodiff/index.ts';
import { at } from '../tensor/at.ts';
import { defineMethod } from './method.ts';
import { camOptions, fromLayers } from './shared/cam.ts';
import { cellSums, channelsFirst } from './shared/channel-maps.ts';
import { gradientsOf, repeat } from './shared/gradients.ts';
import { chooseLayers, layoutOf, withLayers } from './shared/layers.ts';

const rules = lrp({
  first: 'excitation',
  convolution: 'excitation',
  dense: 'excitation',
  epsilon: 1e-6,
  gamma: 0,
  alpha: 1,
  low: [],
  high: [],
});

/**
 * Excitation backprop (Zhang et al. 2018), without the contrastive pass: the probability that a
 * winner-take-all pass from the class down the network ends in a cell of a feature map. The map of
 * the layer has values from 0 to 1 and sums to at most 1.
 *
 *   P(a_i) = Σ_j a_i w_ij⁺ / (Σ_k a_k w_kj⁺) P(a_j),   map = Σ_c P(a_c)
 */
export const excitationBackprop = defineMethod({
  name: 'excitation-backprop',
  title: 'Excitation backprop',
  family: 'gradient',
  paper:
    'Zhang et al., Top-down Neural Attention by Excitation Backprop, IJCV 2018, arXiv:1608.00507',
  needs: ['gradients', 'features'],
  signed: false,
  cost: '1 forward and 1 backward',
  options: v.object({
    layer: camOptions.layer,
  }),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const [, , height = 0, width = 0] = input.shape;
    const names = chooseLayers(model, options.layer);
    const classes = targets.map((target) => target.index);
    const { gradients } = await withLayers(model, names, () =>
      gradientsOf(model, {
        batch: repeat(input, classes.length),
        wrt: names,
        targets: classes,
        rules,
        batchSize,
      }),
    );
    const layouts = names.map((name, l) => layoutOf(model, name, at(gradients, l), input));
    progress(1);
    return targets.map((_, t) => {
      const maps = names.map((layer, l) => {
        const p = channelsFirst(at(gradients, l), t, at(layouts, l));
        return { layer, map: cellSums(p, p, (value) => value) };
      });
      return fromLayers(maps, true, height, width);
    });
  },
});
