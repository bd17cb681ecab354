import * as v from 'valibot';
import { throwIfCancelled } from '../errors.ts';
import { integer, option } from '../options.ts';
import { mean } from '../tensor/statistics.ts';
import { defineMetric } from './metric.ts';
import { similarityOf, similarityOptions } from './shared/similarity.ts';

/**
 * The number of randomized layers at each step: 1, 2, … all layers, or `steps` evenly spaced
 * numbers up to all layers.
 */
function cascade(layers: number, steps: number | null): number[] {
  const count = Math.min(steps ?? layers, layers);
  return Array.from({ length: count }, (_, k) => Math.round(((k + 1) * layers) / count));
}

/**
 * Model randomization: how similar the map stays while the layers of the model are randomized, one
 * after the other, from the scores down to the input (cascading), -1 … 1. If the map does not
 * change, it depends on the picture and not on the model, so lower is better.
 *
 *   mean_k similarity(map, map_k),  map_k = the map of the model with its last k layers randomized
 *
 * The weights of a layer are put in random order, so that the scale of every layer stays the same.
 * The curve is the similarity over the share of randomized layers. The method runs once per step. A
 * constant map has no similarity with any other map (0 by rank correlation). The metric needs a
 * model whose weights can be read (ONNX). Source: Adebayo et al., Sanity Checks for Saliency Maps,
 * NeurIPS 2018.
 */
export const modelRandomization = defineMetric({
  name: 'model-randomization',
  title: 'Model randomisation',
  direction: 'lower',
  range: [-1, 1],
  paper: 'Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018',
  needs: ['model', 'weights', 'explain'],
  axes: { x: 'share of layers randomized', y: 'similarity to the map of the model' },
  presets: {
    'adebayo-2018': { steps: null, similarity: 'spearman', absolute: false },
    'adebayo-2018-absolute': { steps: null, similarity: 'spearman', absolute: true },
    'adebayo-2018-ssim': { steps: null, similarity: 'ssim', absolute: false },
    'ten-steps': { steps: 10, similarity: 'spearman', absolute: false },
  },
  options: v.object({
    steps: option(
      v.nullable(v.pipe(integer, v.minValue(1))),
      null,
      'number of steps from the top layer to all layers; null: one step per layer',
    ),
    ...similarityOptions,
  }),
  measure: async ({ model, map, explain, random, signal, onProgress }, { steps, ...how }) => {
    const layers = await model.inside.weightLayers();
    const counts = cascade(layers.length, steps);
    const y: number[] = [];
    for (const count of counts) {
      throwIfCancelled(signal);
      const randomized = await model.inside.randomized(layers.slice(-count), random);
      try {
        y.push(similarityOf(map, await explain({ model: randomized }), how));
      } finally {
        await randomized.dispose();
      }
      onProgress?.(y.length / counts.length);
    }
    return {
      value: mean(y),
      curve: { x: counts.map((count) => count / layers.length), y },
    };
  },
});
