/**
 * A method of your own: windows of the picture are replaced one after the other, and each pixel gets
 * the mean drop of the score over the windows that hold it.
 *
 *   map[p] = mean over windows w that hold p of S(x) - S(x with w replaced by its mean color)
 *
 *   fovea explain cat.jpg --plugin ./method.js --methods mean-window --set mean-window.side=56
 */
import { defineMethod, definePlugin, option, tensor } from 'fovea';
import * as v from 'valibot';

/** The picture with the window replaced by the mean of each channel there. */
function fill(input, top, left, side) {
  const [, channels, height, width] = input.shape;
  const data = Float32Array.from(input.data);
  const bottom = Math.min(height, top + side);
  const right = Math.min(width, left + side);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let y = top; y < bottom; y++)
      for (let x = left; x < right; x++) sum += data[(c * height + y) * width + x];
    const mean = sum / ((bottom - top) * (right - left));
    for (let y = top; y < bottom; y++)
      data.fill(mean, (c * height + y) * width + left, (c * height + y) * width + right);
  }
  return tensor(input.shape, data);
}

export const meanWindow = defineMethod({
  name: 'mean-window',
  title: 'Windows in their mean color',
  family: 'perturbation',
  paper: 'An example of how to write a method',
  needs: ['black-box'],
  signed: true,
  cost: '1 + one per window',
  options: v.object({
    side: option(
      v.pipe(v.number(), v.integer(), v.minValue(1)),
      56,
      'side of a window in pixels of the input',
    ),
  }),

  async explain({ model, input, targets, options: { side }, progress }) {
    const [, , height, width] = input.shape;
    const maps = targets.map(() => new Float32Array(height * width));
    const { data: whole } = await model.classify(input);
    for (let top = 0; top < height; top += side) {
      for (let left = 0; left < width; left += side) {
        const { data: scores } = await model.classify(fill(input, top, left, side));
        for (const [t, { index }] of targets.entries()) {
          const drop = whole[index] - scores[index];
          for (let y = top; y < Math.min(height, top + side); y++)
            maps[t].fill(drop, y * width + left, y * width + Math.min(width, left + side));
        }
      }
      progress(Math.min(1, (top + side) / height));
    }
    return maps.map((map) => ({ map: tensor([height, width], map) }));
  },
});

export default definePlugin({ methods: [meanWindow] });
