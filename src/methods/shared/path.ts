import * as v from 'valibot';
import { BASELINES, BASELINES_IN_WORDS } from '../../model/input/baseline.ts';
import { INPUT, type Model, type ScoreKind } from '../../model/model.ts';
import { option } from '../../options.ts';
import { at } from '../../tensor/at.ts';
import { slab, type Tensor, tensor } from '../../tensor/tensor.ts';
import { gradientsOf } from './gradients.ts';

/** The option for the start of a path of pictures. */
export const pathBaselineOption = option(
  v.picklist(BASELINES),
  'black',
  `the picture at the start of the path: ${BASELINES_IN_WORDS}`,
);

/** How many pictures, with their gradients, are in memory at the same time. */
const GROUP = 16;

/** A baseline [1, C, 1, 1] or [1, C, H, W] as a picture in the shape of the input. */
export function fullBaseline(baseline: Tensor, input: Tensor): Tensor {
  if (baseline.data.length === input.data.length) return baseline;
  const [, , height = 0, width = 0] = input.shape;
  const area = height * width;
  const full = tensor(input.shape);
  for (let c = 0; c < baseline.data.length; c++)
    full.data.fill(at(baseline.data, c), c * area, (c + 1) * area);
  return full;
}

/** The request of `gradientSeries`. */
export interface GradientSeries {
  readonly model: Model;
  readonly input: Tensor;
  readonly target: number;
  readonly score: ScoreKind;
  readonly batchSize?: number;
  readonly count: number;
  /** Writes picture `k` into `picture`. */
  readonly render: (k: number, picture: Float32Array) => void;
  /** Receives the gradient with respect to picture `k`, and the picture. */
  readonly take: (k: number, gradient: Float32Array, picture: Float32Array) => void;
  readonly onProgress?: (done: number) => void;
}

/**
 * Computes the gradients of one class at `count` pictures, a few at a time. It calls `take` in the
 * order of the pictures.
 */
export async function gradientSeries({
  model,
  input,
  target,
  score,
  batchSize,
  count,
  render,
  take,
  onProgress,
}: GradientSeries): Promise<void> {
  const size = input.data.length;
  for (let from = 0; from < count; from += GROUP) {
    const group = Math.min(GROUP, count - from);
    const batch = tensor([group, ...input.shape.slice(1)]);
    for (let k = 0; k < group; k++) render(from + k, batch.data.subarray(k * size, (k + 1) * size));
    const { gradients } = await gradientsOf(model, {
      batch,
      wrt: [INPUT],
      targets: [target],
      score,
      batchSize,
    });
    for (let k = 0; k < group; k++)
      take(from + k, slab(at(gradients, 0), k).data, batch.data.subarray(k * size, (k + 1) * size));
    onProgress?.(from + group);
  }
}

/** The score of one class for each picture of a batch [n, C, H, W], [n]. */
export async function scoresOf(
  model: Model,
  batch: Tensor,
  target: number,
  score: ScoreKind,
  batchSize?: number,
): Promise<Float32Array> {
  return (await gradientsOf(model, { batch, wrt: [], targets: [target], score, batchSize })).scores
    .data;
}
