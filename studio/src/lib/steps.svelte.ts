import type { Tensor } from 'fovea/web';
import { type Explainer, FoveaError } from 'fovea/worker';
import { messageOf } from './map-run.svelte.ts';
import { pixelOrder, ranksOf } from './maths.ts';
import type { Picture } from './pictures.ts';

/** Steps along each curve. */
export const STEPS = 40;

/** What stands where the picture is hidden. */
export type Filling = 'zero' | 'blur';

/** A curve: the scores of all classes after each step. */
export interface Curve {
  /** [steps + 1, classes] */
  readonly scores: Tensor;
  readonly classes: number;
}

/** Hiding and showing the picture in the order of a map. */
export class StepsRun {
  share = $state(0);
  problem = $state<string>();
  isCancelled = $state(false);
  deletion = $state.raw<Curve>();
  insertion = $state.raw<Curve>();
  /** The rank of each pixel of the model's input: 0 for the most important. */
  readonly ranks: Int32Array;
  readonly #controller = new AbortController();

  constructor(map: Tensor) {
    this.ranks = ranksOf(pixelOrder(map));
  }

  /** How many pixels are changed after a step. */
  countAt(step: number): number {
    return Math.round((this.ranks.length * step) / STEPS);
  }

  async run(explainer: Explainer, picture: Picture, baseline: Filling): Promise<void> {
    const classes = explainer.model.labels.length;
    const counts = Array.from({ length: STEPS + 1 }, (_, step) => this.countAt(step));
    const curve = async (hide: boolean, from: number): Promise<Curve> => {
      const total = this.ranks.length;
      const bounds = Int32Array.from(
        counts.flatMap((count) => (hide ? [count, total] : [0, count])),
      );
      const perturbation = { kind: 'ranks', ranks: this.ranks, bounds } as const;
      const scores = await explainer.perturb(picture.image, {
        ...{ perturbation, baseline },
        signal: this.#controller.signal,
        onProgress: (share) => {
          this.share = from + share / 2;
        },
      });
      return { scores, classes };
    };
    try {
      this.deletion = await curve(true, 0);
      this.insertion = await curve(false, 0.5);
      this.share = 1;
    } catch (error) {
      if (error instanceof FoveaError && error.code === 'cancelled') this.isCancelled = true;
      else this.problem = messageOf(error);
    }
  }

  cancel(): void {
    this.#controller.abort();
  }
}

/** The scores of all classes after a step of a curve. */
export const scoresAt = ({ scores, classes }: Curve, step: number): Float32Array =>
  scores.data.subarray(step * classes, (step + 1) * classes);

/** The likeliest class after a step. */
export function winnerAt(curve: Curve, step: number): number {
  const scores = scoresAt(curve, step);
  return scores.indexOf(Math.max(...scores));
}

/** Area under the score of one class along a curve. */
export function areaOf(curve: Curve, target: number): number {
  let area = 0;
  for (let step = 0; step <= STEPS; step++)
    area += (scoresAt(curve, step)[target] ?? 0) * (step % STEPS === 0 ? 0.5 : 1);
  return area / STEPS;
}
