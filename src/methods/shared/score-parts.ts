import type { Json } from '../../json.ts';
import type { Perturbation } from '../../model/perturbation.ts';
import { at } from '../../tensor/at.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { MethodContext } from '../method.ts';

/** An intermediate map, and facts about it. */
interface Intermediate {
  readonly map: Tensor;
  readonly detail: { readonly [key: string]: Json };
}

/** The perturbed pictures that `scoreInParts` scores. */
export interface ScoreParts {
  readonly baseline: Tensor;
  /** Number of perturbed pictures. */
  readonly count: number;
  /** Number of pictures per part; the last part may be smaller. */
  readonly partSize: number;
  /** Returns the perturbations `from` … `to` - 1. */
  readonly perturbation: (from: number, to: number) => Perturbation;
  /**
   * Returns the map of target `t` from its scores of the first `done` pictures; undefined if there
   * are too few scores. It is not called after the last part.
   */
  readonly intermediate: (
    t: number,
    scores: Float64Array,
    done: number,
  ) => Intermediate | undefined;
}

/** The scores of each target, [count], and the number of scores that were computed. */
export interface PartScores {
  readonly scores: readonly Float64Array[];
  readonly done: number;
}

/**
 * Scores perturbed pictures for all targets together, part by part. After each part it offers an
 * intermediate map of each target. It ends early if the caller has accepted a map of every target.
 */
export async function scoreInParts(
  {
    model,
    input,
    targets,
    batchSize,
    progress,
    offer,
  }: Pick<
    MethodContext<unknown>,
    'model' | 'input' | 'targets' | 'batchSize' | 'progress' | 'offer'
  >,
  { baseline, count, partSize, perturbation, intermediate }: ScoreParts,
): Promise<PartScores> {
  const scores = targets.map(() => new Float64Array(count));
  const accepted = targets.map(() => false);
  const classes = targets.map(({ index }) => index);
  let done = 0;
  while (done < count && !accepted.every(Boolean)) {
    const from = done;
    const to = Math.min(count, from + partSize);
    const { data } = await model.perturb({
      input,
      baseline,
      perturbation: perturbation(from, to),
      targets: classes,
      batchSize,
      onProgress: (part) => progress((from + part) / count),
    });
    scores.forEach((own, t) => {
      for (let n = from; n < to; n++) own[n] = at(data, (n - from) * targets.length + t);
    });
    done = to;
    for (const [t, target] of targets.entries()) {
      const partial = done < count ? intermediate(t, at(scores, t), done) : undefined;
      if (partial) accepted[t] = offer({ target, ...partial });
    }
  }
  return { scores, done };
}
