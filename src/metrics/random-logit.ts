import * as v from 'valibot';
import { FoveaError, throwIfCancelled } from '../errors.ts';
import { integer, option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { defineMetric } from './metric.ts';
import {
  SIMILARITIES,
  SIMILARITIES_IN_WORDS,
  similarityOf,
  similarityOptions,
} from './shared/similarity.ts';

/**
 * Random logit: the mean similarity of the map of the class to the maps of other classes, which are
 * drawn at random, -1 … 1. If the map is the same for every class, it explains none of them, so
 * lower is better.
 *
 *   mean_k similarity(map(c), map(c_k)),  c_k ≠ c, drawn without replacement
 *
 * The method runs `classes` times. Source: Sixt, Granz & Landgraf, When Explanations Lie, ICML
 * 2020.
 */
export const randomLogit = defineMetric({
  name: 'random-logit',
  title: 'Random logit',
  direction: 'lower',
  range: [-1, 1],
  paper:
    'Sixt, Granz & Landgraf, When Explanations Lie: Why Many Modified BP Attributions Fail, ' +
    'ICML 2020',
  needs: ['model', 'explain'],
  presets: {
    'sixt-2020': { classes: 1, similarity: 'ssim', absolute: false },
    ranks: { classes: 1, similarity: 'spearman', absolute: false },
  },
  options: v.object({
    classes: option(
      v.pipe(integer, v.minValue(1)),
      1,
      'number of other classes; all of them if there are fewer',
    ),
    similarity: option(v.picklist(SIMILARITIES), 'ssim', SIMILARITIES_IN_WORDS),
    absolute: similarityOptions.absolute,
  }),
  measure: async ({ model, map, target, explain, random, signal, onProgress }, options) => {
    const others = model.labels.map((_, i) => i).filter((i) => i !== target.index);
    const count = Math.min(options.classes, others.length);
    if (count === 0)
      throw new FoveaError(
        'unsupported',
        `random-logit: ${model.name} has only one class, so there is no other class to ` +
          'compare with',
      );
    let sum = 0;
    for (let k = 0; k < count; k++) {
      throwIfCancelled(signal);
      const index = at(others.splice(random.integer(others.length), 1), 0);
      sum += similarityOf(map, await explain({ target: { index } }), options);
      onProgress?.((k + 1) / count);
    }
    return { value: sum / count };
  },
});
