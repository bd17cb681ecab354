import * as v from 'valibot';
import { FoveaError } from '../errors.ts';
import { interpolate } from '../image/interpolate.ts';
import { INPUT, type LayerBias, type Model, requireInside } from '../model/model.ts';
import { slab, type Tensor, tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod } from './method.ts';
import { channelsFirst } from './shared/channel-maps.ts';
import { gradientsOf, outputOption } from './shared/gradients.ts';
import { layoutOf } from './shared/layers.ts';

/** Added to the range of a channel, so that a constant channel is not divided by zero. */
const tiny = 1e-7;

/** Σ_c ψ(|values_c|) as a map [h, w] of values [c, h, w]. ψ stretches each channel to [0, 1]. */
function stretchedSum(
  { shape: [channels, height, width], data }: Tensor,
  factor: (c: number) => number,
): Tensor {
  const area = height * width;
  const sum = new Float64Array(area);
  for (let c = 0; c < channels; c++) {
    const values = data
      .subarray(c * area, (c + 1) * area)
      .map((value) => Math.abs(value * factor(c)));
    const least = values.reduce((min, value) => Math.min(min, value), Number.POSITIVE_INFINITY);
    const spread = values.reduce((max, value) => Math.max(max, value), 0) - least + tiny;
    for (let i = 0; i < area; i++) sum[i] += (values[i] - least) / spread;
  }
  return tensor([height, width], Float32Array.from(sum));
}

/**
 * The biases of layers whose cells form the picture. In a convolutional network these are all
 * layers. In a transformer these are the layers of its tokens, but not layers within windows.
 */
function spatialBiases(
  model: Model,
  gradients: readonly Tensor[],
  biases: readonly LayerBias[],
  input: Tensor,
) {
  return biases.flatMap(({ name, bias }, l) => {
    try {
      const layout = layoutOf(model, name, gradients[l], input);
      // Windows of a transformer may have the shape of a map, but their channels are on another
      // axis.
      return layout.channels === bias.length
        ? [{ bias, gradient: channelsFirst(gradients[l], 0, layout) }]
        : [];
    } catch (error) {
      // `usage` says that the tensor is not a map of the picture.
      if (error instanceof FoveaError && error.code === 'usage') return [];
      throw error;
    }
  });
}

/**
 * FullGrad (Srinivas & Fleuret 2019): the gradients with respect to the input and to every bias. In
 * a ReLU network these products add up to the whole score. The map [H, W] is 0 or positive and has
 * no unit, because ψ stretches each channel.
 *
 *   map = Σ_c ψ(|x_c ⊙ dS/dx_c|) + Σ_l Σ_c ψ(|b_lc dS/db_lc|)
 *   S   = xᵀ dS/dx + Σ bᵀ dS/db
 *
 * ψ stretches each channel to [0, 1], and the map is upsampled bilinearly.
 */
export const fullgrad = defineMethod({
  name: 'fullgrad',
  title: 'FullGrad',
  family: 'gradient',
  paper:
    'Srinivas & Fleuret, Full-Gradient Representation for Neural Network Visualization, ' +
    'NeurIPS 2019, arXiv:1905.00780',
  needs: ['gradients'],
  uses: ['features'],
  signed: false,
  cost: '1 forward and 1 backward',
  options: v.object({
    output: outputOption,
  }),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const [, channels, height, width] = input.shape;
    const biases = await requireInside(model).biases();
    const wrt = [INPUT, ...biases.map(({ name }) => name)];
    const attributions: Attribution[] = [];
    for (const [t, { index }] of targets.entries()) {
      const { gradients } = await gradientsOf(model, {
        batch: input,
        wrt,
        targets: [index],
        score: options.output,
        batchSize,
      });
      const ofInput = tensor(
        [channels, height, width],
        slab(gradients[0], 0).data.map((g, i) => g * input.data[i]),
      );
      const total = Float64Array.from(stretchedSum(ofInput, () => 1).data);
      const layers = spatialBiases(model, gradients.slice(1), biases, input);
      for (const { bias, gradient } of layers) {
        const up = interpolate(
          stretchedSum(gradient, (c) => bias[c]),
          height,
          width,
          { mode: 'bilinear' },
        );
        up.data.forEach((value, i) => {
          total[i] += value;
        });
      }
      attributions.push({
        map: tensor([height, width], Float32Array.from(total)),
        extras: { biases: layers.length },
      });
      progress((t + 1) / targets.length);
    }
    return attributions;
  },
});
