import * as v from 'valibot';
import { option } from '../options.ts';
import { mean } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import { camOptions, fromLayers } from './shared/cam.ts';
import { readLayers } from './shared/head.ts';
import { chooseLayers } from './shared/layers.ts';

const MOST_ITERATIONS = 5000;
const TOLERANCE = 1e-12;

/**
 * M (Mᵀ u) for the matrix M [cells, channels]. `m` contains the transpose of M, [channels, cells].
 */
function apply(m: Float64Array, channels: number, cells: number, u: Float64Array): Float64Array {
  const result = new Float64Array(cells);
  for (let c = 0; c < channels; c++) {
    let dot = 0;
    for (let i = 0; i < cells; i++) dot += m[c * cells + i] * u[i];
    for (let i = 0; i < cells; i++) result[i] += dot * m[c * cells + i];
  }
  return result;
}

/**
 * M v₁ = σ₁ u₁ [h, w] for the first singular vectors of M [cells, channels], by power iteration on
 * M Mᵀ. The sign is chosen such that the result has a positive product with the mean activation.
 * `centre` subtracts the mean of each channel first.
 */
export function firstComponent(activations: Tensor, centre: boolean): Tensor {
  const [channels, height, width] = activations.shape;
  const cells = height * width;
  const m = Float64Array.from(activations.data);
  const means = new Float64Array(cells);
  for (let c = 0; c < channels; c++) {
    const average = centre ? mean(m.subarray(c * cells, (c + 1) * cells)) : 0;
    for (let i = 0; i < cells; i++) {
      m[c * cells + i] -= average;
      means[i] += activations.data[c * cells + i];
    }
  }
  let u = Float64Array.from({ length: cells }, (_, i) => 1 + Math.sin(i + 1) / 2);
  let norm = 0;
  for (let k = 0; k < MOST_ITERATIONS; k++) {
    const next = apply(m, channels, cells, u);
    norm = Math.sqrt(next.reduce((sum, x) => sum + x * x, 0));
    if (norm === 0) return tensor([height, width]);
    const change = next.reduce((most, x, i) => Math.max(most, Math.abs(x / norm - u[i])), 0);
    u = next.map((x) => x / norm);
    if (change < TOLERANCE) break;
  }
  const middle = mean(means);
  const agreement = u.reduce((sum, x, i) => sum + x * (centre ? means[i] - middle : means[i]), 0);
  const scale = Math.sqrt(norm) * (agreement < 0 ? -1 : 1);
  return tensor(
    [height, width],
    Float32Array.from(u, (x) => scale * x),
  );
}

/**
 * Eigen-CAM (Muhammad & Yeasin 2020): the first principal component of the feature map. The map [H,
 * W] is signed, in the unit of the activations, and the same for every class.
 *
 *   A = U Σ Vᵀ, one row per cell and one column per channel,   map = A v₁
 *
 * By default the mean of each channel is subtracted first. In a transformer, the part that all
 * tokens share is larger than the differences between them, so it would be the first component.
 */
export const eigenCam = defineMethod({
  name: 'eigen-cam',
  title: 'Eigen-CAM',
  family: 'gradient',
  paper:
    'Muhammad & Yeasin, Eigen-CAM: Class Activation Map using Principal Components, IJCNN ' +
    '2020, arXiv:2008.00299',
  needs: ['features'],
  signed: true,
  cost: '1',
  options: v.object({
    layer: camOptions.layer,
    relu: camOptions.relu,
    centre: option(
      v.boolean(),
      true,
      'whether the mean of each channel is subtracted first, as in pytorch-grad-cam; the ' +
        'paper does not do this',
    ),
  }),

  async explain({ model, input, targets, options, progress }) {
    const [, , height, width] = input.shape;
    const layers = await readLayers(model, chooseLayers(model, options.layer), input);
    const maps = layers.map(({ name, activations }) => ({
      layer: name,
      map: firstComponent(activations, options.centre),
    }));
    progress(1);
    return targets.map(() => fromLayers(maps, options.relu, height, width));
  },
});
