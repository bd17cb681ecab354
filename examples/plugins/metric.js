/**
 * A metric of your own: how far the center of mass of the map is from the middle of the picture.
 *
 *   m = Σ_p p · |map[p]| / Σ_p |map[p]|,   score = |m - middle| / |corner - middle|, 0 … 1
 *
 *   fovea evaluate --dataset demo-scenes --limit 3 --plugin ./metric.js --metrics off-center
 */
import { definePlugin } from 'fovea';
import { defineMetric } from 'fovea/metrics';
import * as v from 'valibot';

export const offCenter = defineMetric({
  name: 'off-center',
  title: 'Distance from the center',
  direction: 'lower',
  range: [0, 1],
  paper: 'An example of how to write a metric',
  needs: [],
  presets: { default: {} },
  options: v.object({}),

  measure({ map }) {
    const [height, width] = map.shape;
    let [mass, x, y] = [0, 0, 0];
    for (const [i, value] of map.data.entries()) {
      mass += Math.abs(value);
      x += Math.abs(value) * ((i % width) + 0.5);
      y += Math.abs(value) * (Math.floor(i / width) + 0.5);
    }
    if (mass === 0) return { value: null, reason: 'the map is zero everywhere' };
    const distance = Math.hypot(x / mass - width / 2, y / mass - height / 2);
    return { value: distance / Math.hypot(width / 2, height / 2) };
  },
});

export default definePlugin({ metrics: [offCenter] });
