import * as v from 'valibot';
import type { ScoreKind } from '../../model/model.ts';
import { option } from '../../options.ts';
import { at } from '../../tensor/at.ts';

const SCORES = ['log-probability', 'probability', 'logit'] as const;
type ScoreName = (typeof SCORES)[number];

/** The option for the score that a map explains. */
export const scoreOption = (description: string) =>
  option(v.picklist(SCORES), 'log-probability', description);

/** Floor added before the log, so that probabilities below 0.001 are treated as equal. */
const PROBABILITY_FLOOR = 1e-3;

/**
 * log(p + f) for a probability p. The score of a contrast is a difference of probabilities, so it
 * may be negative. Below 0 the curve is its own mirror image through the point at 0:
 *
 *   l(-p) = 2 log f - l(p)
 */
function logProbability(p: number): number {
  if (p >= 0) return Math.log(p + PROBABILITY_FLOOR);
  return 2 * Math.log(PROBABILITY_FLOOR) - Math.log(PROBABILITY_FLOOR - p);
}

/** The score that the model computes for a score option. */
export const scoreKindOf = (score: ScoreName): ScoreKind =>
  score === 'logit' ? 'logit' : 'probability';

/**
 * The scores [pictures · targets] of a model on the scale of the option: one array [pictures] per
 * target.
 */
export function scoresPerTarget(
  data: Float32Array,
  targets: number,
  score: ScoreName,
): Float64Array[] {
  const scale = score === 'log-probability' ? logProbability : (value: number) => value;
  return Array.from({ length: targets }, (_, t) =>
    Float64Array.from({ length: data.length / targets }, (__, n) =>
      scale(at(data, n * targets + t)),
    ),
  );
}
