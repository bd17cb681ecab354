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
    'number of pixels per step, or, below 1, the share of all pixels; the last step has the ' +
      'remaining pixels',
  ),
);

/**
 * The options of deletion and insertion. The argument is the default of the option `baseline`,
 * which replaces hidden pixels.
 */
export function curveOptions(baseline: 'zero' | 'rise-blur') {
  return v.object({
    step: v.optional(stepOption, 224),
    baseline: option(
      v.picklist([...BASELINES, 'rise-blur']),
      baseline,
      'what replaces hidden pixels: zero after preprocessing (usually the mean of the data ' +
        'set), black, mid grey, white, the mean color of the picture, the blurred picture, or ' +
        'the blur of RISE (11×11 kernel, sigma 5)',
    ),
    score: option(
      v.picklist(['probability', 'logit']),
      'probability',
      'the y axis of the curve: the probability of the class or its logit',
    ),
  });
}

/** Complete options of deletion and insertion. */
export type CurveOptions = v.InferOutput<ReturnType<typeof curveOptions>>;

/**
 * The published protocols with all options. `baseline` is that of RISE, which differs between
 * deletion and insertion.
 */
export const curvePresets = (baseline: 'zero' | 'rise-blur') =>
  ({
    'rise-2018': { step: 224, baseline, score: 'probability' },
    xplique: { step: 0.1, baseline: 'zero', score: 'logit' },
    'torch-cam': { step: 0.05, baseline: 'zero', score: 'probability' },
  }) as const;

/**
 * The number of changed pixels of each picture: 0, step, 2 step, … all pixels. Shares are rounded
 * down to whole pixels.
 */
export function changedPixels(pixels: number, step: number): number[] {
  const count = step < 1 ? Math.ceil(1 / step - 1e-9) : Math.ceil(pixels / step);
  // 1e-6 is added because 0.1 · 3 · 10 pixels must be 3 and not 2.999…
  return Array.from({ length: count + 1 }, (_, i) =>
    Math.min(pixels, step < 1 ? Math.floor(i * step * pixels + 1e-6) : i * step),
  );
}

/**
 * The area under n scores at equally spaced points of [0, 1], by the trapezoid rule: (y_0/2 + y_1 +
 * … + y_{n-2} + y_{n-1}/2) / (n - 1), in the unit of y. For a single score it is y_0. Source: `auc`
 * of the evaluation code of RISE (Petsiuk et al. 2018).
 */
export function areaUnder(y: readonly number[]): number {
  const total = sum(y);
  return y.length === 1 ? total : (total - at(y, 0) / 2 - at(y, y.length - 1) / 2) / (y.length - 1);
}

function baselineOf(name: CurveOptions['baseline'], model: Model, input: Tensor): Tensor {
  return name === 'rise-blur' ? riseBlur(input) : createBaseline(name, model, input);
}

/**
 * Scores pictures in which the first 0, step, 2 step, … pixels of the order are hidden and the
 * others shown (`hide`), or shown and the others hidden (`show`). The number of pixels ends at
 * `area`, a share of H·W. For all pixels these are ceil(H·W / step) + 1 pictures. They are one call
 * of `model.perturb`. Only the ranks, and two bounds per picture, go to the model.
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
 * The area under `scoresAlong`, and the curve: x is the share of changed pixels, y is the score.
 */
export async function measureCurve(
  context: Given<'model'>,
  options: CurveOptions,
  change: 'hide' | 'show',
): Promise<Measurement> {
  const curve = await scoresAlong(context, options, change);
  return { value: areaUnder(curve.y), curve };
}
