import * as v from 'valibot';
import { riseBlur } from '../../image/blur.ts';
import { BASELINES, createBaseline } from '../../model/input/baseline.ts';
import type { Model } from '../../model/model.ts';
import { integer, number, option } from '../../options.ts';
import { at } from '../../tensor/at.ts';
import { sum } from '../../tensor/statistics.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Curve, Given, Measurement } from '../metric.ts';
import { pixelOrder, ranksOf } from './ranks.ts';

const stepOption = v.pipe(
  v.union([v.pipe(integer, v.minValue(1)), v.pipe(number, v.gtValue(0), v.ltValue(1))]),
  v.description(
    'pixels a step, or below 1 the share of all pixels; the last step takes what is left',
  ),
);

/**
 * The options of deletion and insertion; `baseline` replaces pixels that are not (or not yet)
 * shown.
 */
export function curveOptions(baseline: 'zero' | 'rise-blur') {
  return v.object({
    step: v.optional(stepOption, 224),
    baseline: option(
      v.picklist([...BASELINES, 'rise-blur']),
      baseline,
      'what hidden pixels become: zero after preprocessing (usually the data set mean), ' +
        'black, mid grey, white, the mean colour of the picture, the blurred picture, or ' +
        'blurred as RISE does it (11×11 kernel, sigma 5)',
    ),
    score: option(
      v.picklist(['probability', 'logit']),
      'probability',
      "what is plotted: the class's probability or its logit",
    ),
  });
}

/** Complete options of deletion and insertion. */
export type CurveOptions = v.InferOutput<ReturnType<typeof curveOptions>>;

/**
 * The published protocols, spelt out; they differ in what hidden pixels are in insertion for RISE
 * only.
 */
export const curvePresets = (baseline: 'zero' | 'rise-blur') =>
  ({
    'rise-2018': { step: 224, baseline, score: 'probability' },
    xplique: { step: 0.1, baseline: 'zero', score: 'logit' },
    'torch-cam': { step: 0.05, baseline: 'zero', score: 'probability' },
  }) as const;

/**
 * How many pixels each picture has changed: 0, step, 2 step, … all of them; shares are rounded
 * down.
 */
export function changedPixels(pixels: number, step: number): number[] {
  const count = step < 1 ? Math.ceil(1 / step - 1e-9) : Math.ceil(pixels / step);
  // 1e-6: a share such as 0.1 · 3 · 10 pixels is 3, not 2.999…
  return Array.from({ length: count + 1 }, (_, i) =>
    Math.min(pixels, step < 1 ? Math.floor(i * step * pixels + 1e-6) : i * step),
  );
}

/**
 * The area under scores at equal distances on [0, 1], by trapezoids: (y_0/2 + y_1 + … + y_{n-2} +
 * y_{n-1}/2) / (n - 1), in the unit of y; y_0 itself for a single score. Source: `auc` of the
 * evaluation code of RISE (Petsiuk et al. 2018).
 */
export function areaUnder(y: readonly number[]): number {
  const total = sum(y);
  return y.length === 1 ? total : (total - at(y, 0) / 2 - at(y, y.length - 1) / 2) / (y.length - 1);
}

function baselineOf(name: CurveOptions['baseline'], model: Model, input: Tensor): Tensor {
  return name === 'rise-blur' ? riseBlur(input) : createBaseline(name, model, input);
}

/**
 * Scores of the picture with the first 0, step, 2 step, … pixels of the order hidden (`hide`) or
 * shown (`show`), all others as they are not. The number of pixels ends at `area`, a share of H·W:
 * ceil(H·W / step) + 1 pictures for all of them. One call of `model.perturb`. Only the ranks and
 * two bounds per picture go to the model.
 */
export async function scoresAlong(
  context: Given<'model'>,
  options: CurveOptions,
  change: 'hide' | 'show',
  area = 1,
): Promise<Curve> {
  const { model, input, map, target, batchSize, signal, onProgress } = context;
  const pixels = map.data.length;
  const counts = changedPixels(pixels, options.step).filter((count) => count <= area * pixels);
  const bounds = Int32Array.from(
    counts.flatMap((count) => (change === 'hide' ? [count, pixels] : [0, count])),
  );
  const scores = await model.perturb({
    input,
    perturbation: {
      kind: 'ranks',
      ranks: ranksOf(context.order ?? pixelOrder(map.data), pixels),
      bounds,
    },
    baseline: baselineOf(options.baseline, model, input),
    targets: [target.index],
    score: options.score,
    batchSize,
    signal,
    onProgress: (done, total) => onProgress?.(done / total),
  });
  return { x: counts.map((count) => count / pixels), y: Array.from(scores.data) };
}

/**
 * The area under `scoresAlong`, and the curve itself: x is the share of pixels changed, y the
 * score.
 */
export async function measureCurve(
  context: Given<'model'>,
  options: CurveOptions,
  change: 'hide' | 'show',
): Promise<Measurement> {
  const curve = await scoresAlong(context, options, change);
  return { value: areaUnder(curve.y), curve };
}
