import * as v from 'valibot';
import { throwIfCancelled } from '../errors.ts';
import { integer, number, option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { tensor } from '../tensor/tensor.ts';
import { defineMetric } from './metric.ts';

/** The Euclidean (Frobenius) norm of a map. */
const norm = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/**
 * Max-sensitivity: the largest relative change of the map if the input changes a little. The
 * changes δ are random, uniform in [-radius, radius] for each value of the normalized input. The
 * value is 0 or more. It is 0 if the map never changes. Lower is better.
 *
 *   max_δ ‖map(x + δ) - map(x)‖ / ‖map(x)‖,  Frobenius norms
 *
 * The method runs `samples` times. There is no value for a map of zeros. Source: Yeh et al., On the
 * (In)fidelity and Sensitivity of Explanations, NeurIPS 2019. The radius, the number of draws and
 * the division by ‖map(x)‖ are those of captum.
 */
export const maxSensitivity = defineMetric({
  name: 'max-sensitivity',
  title: 'Max-sensitivity',
  direction: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  paper: 'Yeh et al., On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019',
  needs: ['model', 'explain'],
  presets: { captum: { samples: 10, radius: 0.02 } },
  options: v.object({
    samples: option(v.pipe(integer, v.minValue(1)), 10, 'number of changed inputs'),
    radius: option(
      v.pipe(number, v.gtValue(0)),
      0.02,
      'largest change of a value of the normalized input',
    ),
  }),
  measure: async ({ input, map, explain, random, signal, onProgress }, { samples, radius }) => {
    const size = norm(map.data);
    if (size === 0) return { value: null, reason: 'the map is zero everywhere' };
    let largest = 0;
    for (let k = 0; k < samples; k++) {
      throwIfCancelled(signal);
      const draw = random.fork(k);
      const moved = input.data.map((value) => value + radius * (2 * draw.uniform() - 1));
      const { data } = await explain({ input: tensor(input.shape, moved) });
      largest = Math.max(largest, norm(data.map((value, i) => value - at(map.data, i))) / size);
      onProgress?.((k + 1) / samples);
    }
    return { value: largest };
  },
});
