import * as v from 'valibot';
import { gaussianBlur } from '../image/blur.ts';
import { upsamplingMatrix } from '../image/upsampling.ts';
import { BASELINES, BASELINES_IN_WORDS, createBaseline } from '../model/input/baseline.ts';
import type { Grids } from '../model/perturbation.ts';
import type { Target } from '../model/target.ts';
import { integer, number, option } from '../options.ts';
import type { Random } from '../tensor/random.ts';
import { extent } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod, type MethodContext } from './method.ts';
import { weightedMaskSum } from './shared/grid-sums.ts';
import { fullBaseline, gradientSeries } from './shared/path.ts';

const options = v.object({
  size: v.pipe(
    v.optional(v.pipe(integer, v.minValue(2), v.maxValue(128))),
    v.description(
      'cells of the mask in each direction; if not given: 28, or one per pixel of the ' +
        'shorter side if the side has fewer pixels',
    ),
  ),
  iterations: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1000)),
    15,
    'largest number of descent steps',
  ),
  steps: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1000)),
    20,
    'number of points of the integrated gradient',
  ),
  l1: option(v.pipe(number, v.minValue(0)), 1, 'weight of the hidden share of the mask'),
  tv: option(
    v.pipe(number, v.minValue(0)),
    4,
    'weight of the total variation of the mask; 20 in the authors’ code',
  ),
  noise: option(
    v.pipe(number, v.minValue(0)),
    0.05,
    'standard deviation of the noise that is added to the pictures of the integrated ' +
      'gradient, as a share of the range of the input',
  ),
  baseline: option(
    v.picklist(BASELINES),
    'blur',
    `what hidden pixels become: ${BASELINES_IN_WORDS}`,
  ),
});

type Options = v.InferOutput<typeof options>;

/**
 * The Gaussian widths that smooth the slope, in cells of a mask of 28 × 28. The slope of single
 * cells is mostly noise, and an object is hidden only if all of its cells are hidden.
 */
const WIDTHS = [0, 1, 2, 4];
/**
 * The step lengths that are tried in one batch: how far the cell with the largest slope moves. The
 * longest step also hides all cells with at least a sixteenth of that slope. If the score is
 * saturated, it falls only if much is hidden at once.
 */
const LENGTHS = [16, 8, 4, 2, 1, 1 / 4, 1 / 16, 1 / 64];
/** Armijo's constant: the share of the decrease predicted by the slope that a step must reach. */
const ARMIJO = 1e-4;
/** The weight of squared differences was chosen for masks of 28 × 28 cells. */
const SIZE_OF_WEIGHT = 28;

/**
 * The penalties of a mask [size · size], which are added to the score, and their slope [size ·
 * size].
 */
export function maskPenalty(
  mask: ArrayLike<number>,
  size: number,
  l1: number,
  tv: number,
): { value: number; slope: Float64Array } {
  // l1 · mean (1 - m) + tv' · mean over neighbours of (m_i - m_j)², tv' = tv · size / 28: so a
  // border costs the same at any size.
  const slope = new Float64Array(mask.length).fill(-l1 / mask.length);
  let value = 0;
  for (let i = 0; i < mask.length; i++) value += (l1 * (1 - mask[i])) / mask.length;
  const weight = (tv * Math.min(1, size / SIZE_OF_WEIGHT)) / mask.length;
  const pair = (a: number, b: number) => {
    const difference = mask[a] - mask[b];
    value += weight * difference ** 2;
    slope[a] += 2 * weight * difference;
    slope[b] -= 2 * weight * difference;
  };
  for (let i = 0; i < mask.length; i++) {
    if ((i + 1) % size !== 0) pair(i, i + 1);
    if (i + size < mask.length) pair(i, i + size);
  }
  return { value, slope };
}

/** Everything that stays the same during the search for a mask. */
interface Problem {
  readonly context: MethodContext<Options>;
  readonly target: Target;
  /** Cells of the mask in each direction. */
  readonly size: number;
  readonly background: Tensor;
  readonly difference: Float32Array;
  readonly rows: Tensor;
  readonly columns: Tensor;
  readonly random: Random;
  /**
   * Probability of the class for the whole picture. Scores are divided by it, so that the balance
   * of score and penalties does not depend on the confidence of the model.
   */
  readonly whole: number;
}

const gridsOf = ({ rows, columns, size }: Problem, masks: readonly Float32Array[]): Grids => {
  const cells = tensor([masks.length, size, size]);
  masks.forEach((mask, k) => void cells.data.set(mask, k * size * size));
  return { kind: 'grids', grids: cells, rows, columns, shifts: new Int32Array(2 * masks.length) };
};

/** f( b + up(m) (x - b) ) / f(x) for each mask, in one batch. */
async function relativeScores(
  problem: Problem,
  masks: readonly Float32Array[],
): Promise<Float64Array> {
  const { context, target, background, whole } = problem;
  const { model, input, batchSize } = context;
  const perturbation = gridsOf(problem, masks);
  const { data } = await model.perturb({
    input,
    baseline: background,
    perturbation,
    targets: [target.index],
    batchSize,
  });
  return Float64Array.from(data, (score) => score / whole);
}

/** rowsᵀ · picture · columns: sums a value per pixel over the cells of the mask, [size · size]. */
function gather(
  { rows, columns, size }: Problem,
  pixels: Float64Array,
  height: number,
  width: number,
): Float64Array {
  const wide = new Float64Array(size * width);
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < size; i++) {
      const weight = rows.data[y * size + i];
      for (let x = 0; weight !== 0 && x < width; x++)
        wide[i * width + x] += weight * pixels[y * width + x];
    }
  }
  const cells = new Float64Array(size * size);
  for (let x = 0; x < width; x++) {
    for (let j = 0; j < size; j++) {
      const weight = columns.data[x * size + j];
      for (let i = 0; weight !== 0 && i < size; i++)
        cells[i * size + j] += weight * wide[i * width + x];
    }
  }
  return cells;
}

/**
 * The gradient of 1/S Σ_s f( b + (s/S) up(m) (x - b) ) / f(x) with respect to m: the integrated
 * gradient (Qi et al. 2020, eq. 4).
 */
async function integratedGradient(problem: Problem, mask: Float32Array): Promise<Float64Array> {
  const { context, target, background, difference, random, whole } = problem;
  const { model, input, options, batchSize } = context;
  const { steps, noise } = options;
  const [, channels, height, width] = input.shape;
  const area = height * width;
  const shown = weightedMaskSum(gridsOf(problem, [mask]), [1], height, width);
  const slopes = new Float64Array(area);
  const [low, high] = extent(input.data);
  const deviation = noise * (high - low);
  await gradientSeries({
    model,
    input,
    target: target.index,
    score: 'probability',
    batchSize,
    count: steps,
    render: (k, picture) => {
      for (let i = 0; i < picture.length; i++) {
        picture[i] =
          background.data[i] +
          ((k + 1) / steps) * shown[i % area] * difference[i] +
          (deviation > 0 ? deviation * random.normal() : 0);
      }
    },
    take: (k, gradient) => {
      for (let c = 0; c < channels; c++) {
        for (let i = 0; i < area; i++)
          slopes[i] +=
            ((k + 1) / steps / steps / whole) * gradient[c * area + i] * difference[c * area + i];
      }
    },
  });
  return gather(problem, slopes, height, width);
}

/** Moves a mask against the slope and clips it to [0, 1]. */
const moved = (mask: Float32Array, slope: Float64Array, step: number): Float32Array =>
  mask.map((value, i) => Math.min(1, Math.max(0, value - step * slope[i])));

/**
 * The slope, smoothed by a Gaussian of `width` cells. The smoothing is symmetric and positive
 * definite, so the objective still falls in the opposite direction.
 */
function smoothed(slope: Float64Array, size: number, width: number): Float64Array {
  return width > 0
    ? Float64Array.from(
        gaussianBlur(tensor([1, size, size], Float32Array.from(slope)), { sigma: width }).data,
      )
    : slope;
}

/**
 * Tries each step length along the slope and along its smoothed versions, in one batch. Returns the
 * best of the steps that satisfy Armijo's rule; undefined if there is none. A length is relative to
 * the largest slope, so a step always moves the mask.
 */
async function lineSearch(
  problem: Problem,
  mask: Float32Array,
  slope: Float64Array,
  value: number,
): Promise<{ mask: Float32Array; value: number } | undefined> {
  const { size } = problem;
  const { l1, tv } = problem.context.options;
  const candidates = WIDTHS.flatMap((width) => {
    const direction = smoothed(slope, size, (width * size) / SIZE_OF_WEIGHT);
    const largest = direction.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
    return largest > 0 ? LENGTHS.map((length) => moved(mask, direction, length / largest)) : [];
  });
  if (candidates.length === 0) return undefined;
  const scores = await relativeScores(problem, candidates);
  let best: { mask: Float32Array; value: number } | undefined;
  candidates.forEach((candidate, k) => {
    const objective = scores[k] + maskPenalty(candidate, size, l1, tv).value;
    const promised = slope.reduce((sum, each, i) => sum + each * (mask[i] - candidate[i]), 0);
    if (objective <= value - ARMIJO * promised && objective < (best?.value ?? value))
      best = { mask: candidate, value: objective };
  });
  return best;
}

/**
 * Searches for the mask by descent. While nothing is hidden, the penalties are often much larger
 * than the slope of the score. Then the descent follows the slope of the score alone.
 */
async function findMask(
  problem: Problem,
  progress: (share: number) => void,
): Promise<{ mask: Float32Array; objective: number[] }> {
  const { size } = problem;
  const { iterations, l1, tv } = problem.context.options;
  let mask = new Float32Array(size * size).fill(1);
  const [start] = await relativeScores(problem, [mask]);
  const objective = [start];
  for (let iteration = 0; iteration < iterations; iteration++) {
    const score = await integratedGradient(problem, mask);
    const whole = maskPenalty(mask, size, l1, tv).slope.map((penalty, i) => penalty + score[i]);
    const value = objective[objective.length - 1];
    const next =
      (await lineSearch(problem, mask, whole, value)) ??
      (await lineSearch(problem, mask, score, value));
    progress((iteration + 1) / iterations);
    if (!next) break;
    mask = next.mask as Float32Array<ArrayBuffer>;
    objective.push(next.value);
  }
  return { mask, objective };
}

const nothingHidden = (baseline: string): string =>
  `i-gos: for the baseline ${baseline}, no mask lowers the score by more than its penalties: ` +
  'try another baseline, such as zero';

/**
 * I-GOS (Qi, Khorram & Li 2020): the smallest and smoothest mask that hides the class, found by
 * descent along integrated gradients. The map [H, W] is 1 - mask, 0 … 1. If no mask lowers the
 * objective, the map is 0 everywhere and comes with a warning.
 */
export const iGos = defineMethod({
  name: 'i-gos',
  title: 'I-GOS',
  family: 'gradient',
  paper:
    'Qi, Khorram & Li, Visualizing Deep Networks by Optimizing with Integrated Gradients, ' +
    'AAAI 2020, arXiv:1905.00954',
  needs: ['black-box', 'gradients'],
  signed: false,
  cost:
    'at most iterations · (steps + 64) + 1 forward and iterations · steps backward: 1261 and ' +
    '300',
  options,

  async explain(context) {
    const { model, input, targets, options, random } = context;
    const [, , height, width] = input.shape;
    const size = options.size ?? Math.min(28, height, width);
    const background = fullBaseline(createBaseline(options.baseline, model, input), input);
    const shared = {
      context,
      size,
      background,
      difference: input.data.map((value, i) => value - background.data[i]),
      rows: upsamplingMatrix('align-corners', size, height),
      columns: upsamplingMatrix('align-corners', size, width),
    };
    const attributions: Attribution[] = [];
    for (const [t, target] of targets.entries()) {
      const problem: Problem = {
        ...shared,
        target,
        random: random.fork(`class ${target.index}`),
        whole: Math.max(target.probability, 1e-12),
      };
      const { mask, objective } = await findMask(problem, (share) =>
        context.progress((t + share) / targets.length),
      );
      const hidden = mask.map((value) => 1 - value);
      const map = weightedMaskSum(gridsOf(problem, [hidden]), [1], height, width);
      attributions.push({
        map: tensor([height, width], Float32Array.from(map)),
        warnings: objective.length > 1 ? [] : [nothingHidden(options.baseline)],
        extras: { objective, mask: [...mask] },
      });
    }
    return attributions;
  },
});
