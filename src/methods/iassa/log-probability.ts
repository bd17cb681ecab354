/** Floor added before the log, so that probabilities below 0.001 are treated as equal. */
const PROBABILITY_FLOOR = 1e-3;

/**
 * log(p + f) for a probability p. The score of a contrast is a difference of probabilities, so it
 * may be negative. Below 0 the curve is its own mirror image through the point at 0:
 *
 *   l(-p) = 2 log f - l(p)
 */
export function logProbability(p: number): number {
  if (p >= 0) return Math.log(p + PROBABILITY_FLOOR);
  return 2 * Math.log(PROBABILITY_FLOOR) - Math.log(PROBABILITY_FLOOR - p);
}
