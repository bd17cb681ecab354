import * as v from 'valibot';
import { throwIfCancelled } from '../errors.ts';
import { integer, option } from '../options.ts';
import { mean } from '../tensor/statistics.ts';
import { defineMetric } from './metric.ts';
import { similarityOf, similarityOptions } from './shared/similarity.ts';

/**
 * How many layers are randomised at each step: every number up to all of them, or `steps` evenly
 * spread ones.
 */
function cascade(layers: number, steps: number | null): number[] {
  const count = Math.min(steps ?? layers, layers);
  return Array.from({ length: count }, (_, k) => Math.round(((k + 1) * layers) / count));
}

/**
 * Model randomisation: how alike the map stays while the model's layers lose what they learned, one
 * after the other from the scores down to the input (cascading). A map that does not change looks
 * at the picture and not at the model: lower is better, -1 … 1.
 *
 *   mean_k similarity(map, map_k),  map_k = the map of the model with its topmost k layers drawn
 * anew
 *
 * The weights of a layer are drawn from its own values without replacement, so that the scale of
 * every layer stays. The curve is the similarity over the share of layers randomised. The method is
 * run once a step; a map that is the same everywhere is like no other (0 by rank correlation).
 * Needs a model whose weights are known (ONNX). Source: Adebayo et al., Sanity Checks for Saliency
 * Maps, NeurIPS 2018.
 */
export const modelRandomization = defineMetric({
  name: 'model-randomization',
  title: 'Model randomisation',
  direction: 'lower',
  range: [-1, 1],
  paper: 'Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018',
  needs: ['model', 'weights', 'explain'],
  axes: { x: 'share of layers randomised', y: 'likeness to the map of the model' },
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
      'steps from the top to all layers; null: one a layer',
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
