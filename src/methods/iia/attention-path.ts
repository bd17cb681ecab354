import { FoveaError } from '../../errors.ts';
import { rowsOf } from '../../model/classifier/batches.ts';
import { type Model, type Replacements, requireInside, type ScoreKind } from '../../model/model.ts';
import { at } from '../../tensor/at.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Attribution } from '../method.ts';
import {
  type Attention,
  addOverHeads,
  fromTokens,
  positiveProduct,
  rolloutRow,
  rowsAtOnce,
} from '../shared/attention.ts';
import { gradientsOf } from '../shared/gradients.ts';

/** Which paths are interpolated, and for which picture. */
export interface AttentionPaths {
  readonly model: Model;
  readonly attention: Attention;
  readonly input: Tensor;
  /** The start of the path of pictures, in the shape of the input. */
  readonly start: Float32Array;
  readonly steps: number;
  readonly levels: 2 | 3;
  readonly blocks: 'last' | 'all';
  readonly paths: 'both' | 'image' | 'activations';
  readonly score: ScoreKind;
  readonly batchSize?: number;
  readonly progress: (share: number) => void;
}

/** The points k / n, k = 0 … n, of a path; only its end if the path is not used. */
const points = (taken: boolean, n: number): number[] =>
  taken ? Array.from({ length: n + 1 }, (_, k) => k / n) : [1];

/**
 * Each row of `values` times each α, [rows · points, …]. All points of one row come before the next
 * row.
 */
function scaledRows(values: Tensor, alphas: readonly number[]): Tensor {
  const [rows = 0, ...rest] = values.shape;
  const size = values.data.length / rows;
  const result = tensor([rows * alphas.length, ...rest]);
  for (let row = 0; row < rows; row++) {
    alphas.forEach((alpha, k) => {
      const to = (row * alphas.length + k) * size;
      const own = values.data.subarray(row * size, (row + 1) * size);
      result.data.set(
        own.map((value) => alpha * value),
        to,
      );
    });
  }
  return result;
}

/** Repeats each row `times` times: [rows · times, …]. */
const repeatRows = (values: Tensor, times: number): Tensor =>
  scaledRows(values, new Array<number>(times).fill(1));

/** Pictures, and the attention that replaces the network's own attention, row by row. */
interface Points {
  readonly batch: Tensor;
  readonly replace: Replacements;
}

/**
 * Interpolates the attention of some blocks together. At every point it replaces the attention A
 * that the network computes by α A, for each α.
 */
async function interpolate(
  { model }: AttentionPaths,
  { batch, replace }: Points,
  names: readonly string[],
  alphas: readonly number[],
): Promise<Points> {
  const own = await requireInside(model).activations(names, batch, { replace });
  const wider = Object.entries(replace).map(
    ([name, values]) => [name, repeatRows(values, alphas.length)] as const,
  );
  const interpolated = names.map((name, i) => [name, scaledRows(at(own, i), alphas)] as const);
  return {
    batch: repeatRows(batch, alphas.length),
    replace: Object.fromEntries([...wider, ...interpolated]),
  };
}

/**
 * The groups of blocks. Groups are interpolated one after the other, and early blocks come first.
 */
function levelsOf({ attention: { maps }, levels, blocks, paths }: AttentionPaths): string[][] {
  const names = maps.map((map) => map.name);
  if (paths === 'image') return [];
  if (blocks === 'all') {
    if (levels === 3)
      throw new FoveaError(
        'usage',
        'iia.levels = 3 interpolates the last two blocks one after the other: use levels 2 ' +
          'together with blocks all',
      );
    return [names];
  }
  if (levels === 3 && names.length < 2)
    throw new FoveaError(
      'unsupported',
      'iia with three levels needs two blocks of attention, but the network has one',
    );
  return names.slice(levels === 3 ? -2 : -1).map((name) => [name]);
}

/** Adds max(dS/dA ⊙ A, 0) of every block, summed over points and heads, to `sums`. */
async function addPoints(
  context: AttentionPaths,
  { batch, replace }: Points,
  target: number,
  sums: readonly Float64Array[],
): Promise<void> {
  const { model, attention, score, batchSize } = context;
  const wrt = attention.maps.map((map) => map.name);
  const group = rowsAtOnce(attention);
  const rows = at(batch.shape, 0);
  for (let from = 0; from < rows; from += group) {
    const to = Math.min(rows, from + group);
    const some = Object.fromEntries(
      Object.entries(replace).map(([name, values]) => [name, rowsOf(values, from, to)]),
    );
    const { values, gradients } = await gradientsOf(model, {
      batch: rowsOf(batch, from, to),
      wrt,
      targets: [target],
      score,
      batchSize,
      replace: some,
    });
    sums.forEach((sum, l) => addOverHeads(sum, [at(gradients, l), at(values, l)], positiveProduct));
  }
}

/**
 * Iterated integrated attributions of a transformer, one map per class. The rollout uses the mean
 * over all points of max(dS/dA ⊙ A, 0). The points have pictures x' = b + β (x - b) and the
 * attention α A(x') in the interpolated blocks.
 */
export async function explainAttention(
  context: AttentionPaths,
  targets: readonly number[],
): Promise<Attribution[]> {
  const { attention, input, start, steps, paths, progress } = context;
  const levels = levelsOf(context);
  const betas = points(paths !== 'activations', steps);
  const sums = targets.map(() => attention.maps.map(() => new Float64Array(attention.tokens ** 2)));
  let count = 0;
  for (const [k, beta] of betas.entries()) {
    const picture = start.map((from, i) => from + beta * (at(input.data, i) - from));
    let here: Points = { batch: tensor(input.shape, picture), replace: {} };
    for (const names of levels) here = await interpolate(context, here, names, points(true, steps));
    for (const [t, target] of targets.entries())
      await addPoints(context, here, target, at(sums, t));
    count += at(here.batch.shape, 0);
    progress((k + 1) / betas.length);
  }
  return sums.map((blocks) => {
    const means = blocks.map((sum, l) =>
      sum.map((value) => value / (count * at(attention.maps, l).heads)),
    );
    return fromTokens(attention, rolloutRow(attention, means, true), input, {
      interpolated: levels,
    });
  });
}
