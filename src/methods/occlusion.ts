import * as v from 'valibot';
import { baselineOption, createBaseline } from '../model/input/baseline.ts';
import { withEmptyWindow } from '../model/perturbation.ts';
import { integer, option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import { scaledLength } from './shared/scale.ts';
import { slidingWindows, windowSums } from './shared/windows.ts';

const side = v.union([
  v.pipe(integer, v.minValue(1)),
  v.strictTuple([v.pipe(integer, v.minValue(1)), v.pipe(integer, v.minValue(1))]),
]);

const pair = (length: v.InferOutput<typeof side>): [number, number] =>
  typeof length === 'number' ? [length, length] : [...length];

/** The window and the stride of some options for an input, [vertical, horizontal]. */
const geometryOf = (
  { window, stride }: Partial<Record<'window' | 'stride', v.InferOutput<typeof side>>>,
  height: number,
  width: number,
) => ({
  window: pair(window ?? scaledLength(32, height, width)),
  stride: pair(stride ?? scaledLength(8, height, width)),
});

/**
 * Occlusion sensitivity (Zeiler & Fergus 2014): a sliding window is replaced by a baseline, and the
 * map shows how much the score falls.
 *
 *   map[p] = mean over the windows w that cover p of ( f(x) - f(x with w replaced) )
 *
 * The map [H, W] is signed and in the unit of the score. A positive value means that hiding the
 * pixel lowers the score. The last row and column of windows are moved back so that they end at the
 * border, as in Captum's `Occlusion`.
 */
export const occlusion = defineMethod({
  name: 'occlusion',
  title: 'Occlusion sensitivity',
  family: 'perturbation',
  paper:
    'Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, ' +
    'arXiv:1311.2901',
  needs: ['black-box'],
  signed: true,
  cost: '1 + (1 + (H - window) / stride)²: 626 at 224×224',
  options: v.object({
    window: v.pipe(
      v.optional(side),
      v.description(
        'side of the window in pixels, or [height, width]; if not given: 32, or less for ' +
          'inputs under 224 pixels, in proportion to the shorter side',
      ),
    ),
    stride: v.pipe(
      v.optional(side),
      v.description(
        'step between windows in pixels, or [vertical, horizontal]; if not given: 8, or less ' +
          'for inputs under 224 pixels, in proportion to the shorter side',
      ),
    ),
    baseline: baselineOption,
    score: option(
      v.picklist(['probability', 'logit']),
      'probability',
      'which score of the class is explained',
    ),
  }),
  /** The stride grows until the windows fit. The window grows with it, so that no pixel is missed. */
  withBudget(options, budget, { height, width }) {
    requireBudget('occlusion', budget, 2);
    const { window, stride } = geometryOf(options, height, width);
    const grown = (by: number) => {
      const step = stride.map((length) => Math.ceil(length * by)) as [number, number];
      const size = window.map((length, axis) => Math.max(length, at(step, axis)));
      return { window: size as [number, number], stride: step };
    };
    const calls = (by: number) => {
      const { window: size, stride: step } = grown(by);
      return 1 + slidingWindows(height, width, size, step).length / 4;
    };
    let by = 1;
    while (calls(by) > budget) by *= 1.02;
    return by === 1 ? options : { ...options, ...grown(by) };
  },

  async explain({ model, input, targets, options, batchSize, progress }) {
    const [, , height = 0, width = 0] = input.shape;
    const { window, stride } = geometryOf(options, height, width);
    const windows = slidingWindows(height, width, window, stride);
    const scores = await model.perturb({
      input,
      baseline: createBaseline(options.baseline, model, input),
      perturbation: {
        kind: 'windows',
        windows: withEmptyWindow(windows),
        keep: 'outside',
      },
      targets: targets.map((target) => target.index),
      score: options.score,
      batchSize,
      onProgress: (done, total) => progress(done / total),
    });
    const count = windows.length / 4;
    return targets.map((_, t) => {
      const score = (n: number) => at(scores.data, n * targets.length + t);
      const drops = Float64Array.from({ length: count }, (_, n) => score(0) - score(n + 1));
      const { sums, coverage } = windowSums(windows, drops, height, width);
      return {
        map: tensor(
          [height, width],
          Float32Array.from(sums, (sum, i) => sum / Math.max(1, at(coverage, i))),
        ),
        extras: { window, stride },
      };
    });
  },
});
