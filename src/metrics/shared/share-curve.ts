import * as v from 'valibot';
import { baselineOption, createBaseline } from '../../model/input/baseline.ts';
import { option } from '../../options.ts';
import type { Given, Measurement } from '../metric.ts';
import { classScores } from './class-scores.ts';
import { areaUnder } from './perturbation-curve.ts';
import { pixelOrder, ranksOf } from './ranks.ts';

/** The shares of hidden pixels: 0, 0.1 … 0.9. */
const TENTHS = Array.from({ length: 10 }, (_, i) => i / 10);

/** The options of positive and negative perturbation. */
export const shareOptions = v.object({
  measure: option(
    v.picklist(['accuracy', 'probability']),
    'accuracy',
    'the y axis of the curve: accuracy is 1 if the class still has the highest score, else ' +
      '0; or the probability of the class',
  ),
  baseline: baselineOption,
});

/**
 * The area under the accuracy or the probability of the class while 0, 10 … 90 % of the pixels are
 * hidden: the first pixels of the order (`positive`) or the last (`negative`). Shares are rounded
 * down to whole pixels. The area is 0.9 times the mean by the trapezoid rule, 0 … 0.9.
 */
export async function measureShares(
  context: Given<'model'>,
  options: v.InferOutput<typeof shareOptions>,
  which: 'positive' | 'negative',
): Promise<Measurement> {
  const { model, input, map, target, batchSize, signal, onProgress } = context;
  const pixels = map.data.length;
  const hidden = TENTHS.map((share) => Math.floor(share * pixels + 1e-6));
  const accuracy = options.measure === 'accuracy';
  const scores = await model.perturb({
    input,
    perturbation: {
      kind: 'ranks',
      ranks: ranksOf(context.order ?? pixelOrder(map.data), pixels),
      bounds: Int32Array.from(
        hidden.flatMap((count) => (which === 'positive' ? [count, pixels] : [0, pixels - count])),
      ),
    },
    baseline: createBaseline(options.baseline, model, input),
    targets: accuracy ? model.labels.map((_, i) => i) : [target.index],
    batchSize,
    signal,
    onProgress: (done, total) => onProgress?.(done / total),
  });
  const y = classScores(scores, accuracy ? target.index : 0, accuracy);
  return { value: 0.9 * areaUnder(y), curve: { x: TENTHS, y } };
}
