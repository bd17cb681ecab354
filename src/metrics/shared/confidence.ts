import * as v from 'valibot';
import { baselineOption, createBaseline } from '../../model/input/baseline.ts';
import { at } from '../../tensor/at.ts';
import { extent } from '../../tensor/statistics.ts';
import { tensor } from '../../tensor/tensor.ts';
import type { Given, Measurement } from '../metric.ts';

/** The options and presets of the metrics that multiply the picture by its map. */
export const confidenceOptions = v.object({
  baseline: baselineOption,
});
export const confidencePresets = {
  'iia-2023': { baseline: 'zero' },
  'torch-cam': { baseline: 'zero' },
  black: { baseline: 'black' },
} as const;

/** A map scaled to 0 … 1 by its minimum and maximum; zeros for a constant map. */
export function minMaxShares(map: Float32Array): Float32Array {
  const [min, max] = extent(map);
  return map.map((value) => (max > min ? (value - min) / (max - min) : 0));
}

/**
 * The probability of the class for the whole picture, and for the picture multiplied by its map.
 */
export interface Confidences {
  readonly whole: number;
  readonly seen: number;
}

/**
 * The probability of the class for the picture x and for s x + (1 - s) baseline. With `map`, s is
 * the map, scaled to 0 … 1 by its minimum and maximum; a constant map becomes 0. With `rest`, s is
 * 1 minus this map. The cost is two model calls.
 */
async function confidencesOf(
  context: Given<'model'>,
  { baseline }: v.InferOutput<typeof confidenceOptions>,
  through: 'map' | 'rest',
): Promise<Confidences> {
  const { model, input, map, target, batchSize, signal } = context;
  const shares = minMaxShares(map.data);
  const masks = new Float32Array(2 * shares.length).fill(1);
  masks.set(through === 'map' ? shares : shares.map((share) => 1 - share), shares.length);
  const { data } = await model.perturb({
    input,
    perturbation: { kind: 'masks', masks: tensor([2, ...map.shape], masks) },
    baseline: createBaseline(baseline, model, input),
    targets: [target.index],
    batchSize,
    signal,
  });
  return { whole: at(data, 0), seen: at(data, 1) };
}

/**
 * Applies `formula` to the two probabilities. There is no value if the probability for the whole
 * picture is 0.
 */
export async function measureConfidence(
  context: Given<'model'>,
  options: v.InferOutput<typeof confidenceOptions>,
  through: 'map' | 'rest',
  formula: (confidences: Confidences) => number,
): Promise<Measurement> {
  const confidences = await confidencesOf(context, options, through);
  return confidences.whole > 0
    ? { value: formula(confidences) }
    : { value: null, reason: 'the probability of the class is 0 for the whole picture' };
}
