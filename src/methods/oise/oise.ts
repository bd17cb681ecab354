import { z } from 'zod';
import { baselineOption, createBaseline } from '../../model/baseline.ts';
import type { Target } from '../../model/target.ts';
import type { Random } from '../../tensor/random.ts';
import { range, type Tensor, tensor } from '../../tensor/tensor.ts';
import { upsampleGrid } from '../internal/grid-sums.ts';
import { type Attribution, defineMethod, type MethodContext } from '../method.ts';
import { riseGrids } from '../rise.ts';
import { type Chain, startChain, stepChain, totalVariation } from './chain.ts';

const options = z.object({
  N: z.int().min(2).max(10_000_000).default(8000).describe('model calls in all: steps of all chains together'),
  chains: z.int().min(1).max(10_000).default(40).describe('chains that run side by side'),
  s: z.int().min(1).max(64).default(8).describe('cells of the mask grid in each direction'),
  p0: z.number().min(0).max(1).default(0.7).describe('probability that a cell is off at the start'),
  rate: z.number().min(0).max(1).default(0.02).describe('how much a change of the score dims cells that have just come on'),
  totalVariation: z.number().min(0).default(0).describe('weight of the mask before in the next one, times its total variation; 0: as in the authors’ code'),
  postprocess: z
    .enum(['none', 'script', 'notebook'])
    .default('none')
    .describe('none: how often a pixel was seen; script: max(0, m - 0.96 mean) / max; notebook: max(0, m - mean) / max'),
  baseline: baselineOption,
});

type Options = z.output<typeof options>;

/** Steps after which an intermediate map is offered, as a share of all. */
const OFFERS = 20;

/** Mean over the random shifts of a mask of the upsampling along one axis: [length, s] from [(s + 1) · cell, s]. */
function meanUpsampling(matrix: Tensor, length: number): Float64Array {
  const [total, s] = matrix.shape;
  const shifts = total / (s + 1);
  const mean = new Float64Array(length * s);
  for (let shift = 0; shift < shifts; shift++) {
    for (let i = 0; i < length * s; i++) mean[i] += matrix.data[shift * s + i] / shifts;
  }
  return mean;
}

/** The authors' two ways to turn counts into a map: what lies above (a share of) the mean, over the largest. */
export function postprocess(map: Tensor, how: Options['postprocess']): Tensor {
  if (how === 'none') return map;
  const mean = map.data.reduce((sum, value) => sum + value, 0) / map.data.length;
  const level = how === 'script' ? 0.96 * mean : mean;
  const above = map.data.map((value) => Math.max(0, value - level));
  const [, max] = range(above);
  return tensor(map.shape, max > 0 ? above.map((value) => value / max) : above);
}

/** A chain with its own random numbers, what of it is shown, and what has been seen of each cell so far. */
interface Run {
  readonly chain: Chain;
  readonly random: Random;
  readonly shown: Float32Array;
  readonly seen: Float64Array;
}

function startRuns({ chains, s, p0 }: Options, random: Random): Run[] {
  return Array.from({ length: chains }, (_, k) => {
    const own = random.fork(`chain ${k}`);
    const chain = startChain(s * s, p0, own);
    return { chain, random: own, shown: chain.cells.slice(), seen: new Float64Array(s * s) };
  });
}

/** Moves a chain on and notes the mean of what it shows next, rather than what it happens to show: the same estimate, less noise. */
function advance({ chain, random, shown, seen }: Run, score: number, { rate, s, totalVariation: weight }: Options): void {
  const carried = weight * totalVariation(shown, s);
  const expected = stepChain(chain, score, rate, random);
  for (let i = 0; i < seen.length; i++) {
    seen[i] += Math.min(1, expected[i] + carried * shown[i]);
    shown[i] = Math.min(1, chain.cells[i] + carried * shown[i]);
  }
}

/** Mean over the chains, and its standard error: their spread over the square root of their number. */
function summarize(runs: readonly Run[], steps: number, rows: Float64Array, columns: Float64Array, shape: readonly [number, number], s: number) {
  const mean = new Float64Array(shape[0] * shape[1]);
  const squares = new Float64Array(mean.length);
  runs.forEach(({ seen }, k) => {
    const map = upsampleGrid(seen, rows, columns, [s, s]);
    for (let i = 0; i < map.length; i++) {
      const value = map[i] / steps;
      const delta = value - mean[i];
      mean[i] += delta / (k + 1);
      squares[i] += delta * (value - mean[i]);
    }
  });
  const count = runs.length;
  const error = squares.map((sum) => Math.sqrt(Math.max(0, sum) / (count * Math.max(1, count - 1))));
  return { map: tensor(shape, Float32Array.from(mean)), standardError: count > 1 ? tensor(shape, Float32Array.from(error)) : undefined };
}

async function explainTarget(context: MethodContext<Options>, target: Target, position: number): Promise<Attribution> {
  const { model, input, options, random, batchSize, targets, offer, progress } = context;
  const { s, N } = options;
  const shape = [input.shape[2], input.shape[3]] as const;
  const count = Math.min(options.chains, N);
  const runs = startRuns({ ...options, chains: count }, random.fork(`class ${target.index}`));
  const baseline = createBaseline(options.baseline, model, input);
  const template = riseGrids(tensor([1, s, s]), new Int32Array(2), ...shape);
  const [rows, columns] = [meanUpsampling(template.rows, shape[0]), meanUpsampling(template.columns, shape[1])];
  const shiftBelow = [template.rows.shape[0] / (s + 1), template.columns.shape[0] / (s + 1)];
  const steps = Math.max(1, Math.floor(N / count));
  let step = 0;
  for (let content = false; step < steps && !content; ) {
    const grids = tensor([count, s, s]);
    runs.forEach(({ shown }, k) => void grids.data.set(shown, k * s * s));
    const shifts = Int32Array.from({ length: 2 * count }, (_, i) => runs[i >> 1].random.integer(shiftBelow[i & 1]));
    const perturbation = { ...template, grids, shifts };
    const { data } = await model.perturb({ input, baseline, perturbation, targets: [target.index], batchSize });
    runs.forEach((run, k) => void advance(run, data[k], options));
    step++;
    progress((position + step / steps) / targets.length);
    if (step % Math.ceil(steps / OFFERS) !== 0) continue;
    const { map } = summarize(runs, step, rows, columns, shape, s);
    content = offer({ target, map: postprocess(map, options.postprocess), calls: step * count, detail: { steps: step } });
  }
  const { map, standardError } = summarize(runs, step, rows, columns, shape, s);
  const error = options.postprocess === 'none' ? standardError : undefined;
  return { map: postprocess(map, options.postprocess), standardError: error, extras: { chains: count, steps: step } };
}

/** OISE: chains of masks that keep what scores and give up what does not; the map is how often a pixel was seen. */
export const oise = defineMethod({
  name: 'oise',
  title: 'OISE',
  family: 'perturbation',
  paper: 'Thakur & Fischmeister, A generalizable saliency map-based interpretation of model outcome, ICPR 2020, arXiv:2006.09504',
  needs: ['black-box'],
  signed: false,
  cost: 'N: 8000 for each class',
  options,

  async explain(context) {
    const attributions: Attribution[] = [];
    for (const [position, target] of context.targets.entries()) attributions.push(await explainTarget(context, target, position));
    return attributions;
  },
});
