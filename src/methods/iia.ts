import { z } from 'zod';
import { FoveaError } from '../errors.ts';
import { baselineOption, createBaseline } from '../model/baseline.ts';
import { rowsOf } from '../model/batching.ts';
import { INPUT, type Model } from '../model/model.ts';
import { sizeOf, type Tensor, tensor } from '../tensor/tensor.ts';
import { camOptions, fromLayers } from './internal/cam.ts';
import { gradientsOf } from './internal/gradients.ts';
import { chooseLayers, layoutOf, withLayers } from './internal/layers.ts';
import { fullBaseline } from './internal/path.ts';
import { type Attribution, defineMethod } from './method.ts';

/** Bytes of feature maps, with their gradients, that are in memory at once. */
const GROUP_BYTES = 96 * 2 ** 20;

/** The points k / n, k = 1 … n, of a path; its end alone where the path is not taken. */
const points = (taken: boolean, n: number): number[] => (taken ? Array.from({ length: n }, (_, k) => (k + 1) / n) : [1]);

/** r + α (u - r) for each α and each row of `values`: [rows · points, …]; r is the least value of each channel over its cells. */
function layerPath(values: Tensor, alphas: readonly number[]): Tensor {
  const [rows, channels, height, width] = values.shape;
  const cells = height * width;
  const size = channels * cells;
  const result = tensor([rows * alphas.length, channels, height, width]);
  const least = leastOf(values);
  for (let row = 0; row < rows; row++) {
    alphas.forEach((alpha, k) => {
      const to = (row * alphas.length + k) * size;
      for (let i = 0; i < size; i++) {
        const r = least[row * channels + Math.floor(i / cells)];
        result.data[to + i] = r + alpha * (values.data[row * size + i] - r);
      }
    });
  }
  return result;
}

/** The least value of each channel over its cells, [rows · channels]. */
function leastOf({ shape, data }: Tensor): Float32Array {
  const cells = shape[2] * shape[3];
  return Float32Array.from({ length: shape[0] * shape[1] }, (_, c) => data.subarray(c * cells, (c + 1) * cells).reduce((min, x) => Math.min(min, x)));
}

async function activationsOf(model: Model, layer: string, batch: Tensor, input: Tensor, at?: string): Promise<Tensor> {
  const [values] = await withLayers(model, [layer], () => model.activations?.([layer], batch, { at }) ?? Promise.resolve([]));
  if (layoutOf(model, layer, values, input).layout !== 'channels-first') {
    throw new FoveaError(
      'unsupported',
      `iia works on feature maps [n, channels, height, width] of convolutional networks, but "${layer}" of ${model.name} is [${values.shape}]`,
    );
  }
  return values;
}

/** The last integral for some rows of the layer: sum over rows u and points α of (u - r) ⊙ v ⊙ dS/dv, v = r + α (u - r). */
interface LastIntegral {
  readonly model: Model;
  readonly layer: string;
  readonly target: number;
  readonly score: 'logit' | 'probability';
  readonly batchSize?: number;
  /** Points of the path; null where the layer is not interpolated: then the sum of u ⊙ dS/du. */
  readonly alphas: readonly number[] | null;
}

/** Adds the last integral of `values` [n, C, h, w], over its channels, to `map` [h · w]. */
async function addIntegral({ model, layer, target, score, batchSize, alphas }: LastIntegral, values: Tensor, map: Float64Array): Promise<void> {
  const [count, channels, height, width] = values.shape;
  const cells = height * width;
  const size = channels * cells;
  const perRow = alphas?.length ?? 1;
  const group = Math.max(1, Math.floor(GROUP_BYTES / (8 * size * perRow)));
  for (let from = 0; from < count; from += group) {
    const some = rowsOf(values, from, Math.min(count, from + group));
    const path = alphas ? layerPath(some, alphas) : some;
    const least = alphas && leastOf(some);
    const { gradients } = await gradientsOf(model, { batch: path, at: layer, wrt: [INPUT], targets: [target], score, batchSize });
    const gradient = gradients[0].data;
    for (let row = 0; row < path.shape[0]; row++) {
      const source = Math.floor(row / perRow);
      for (let c = 0; c < channels; c++) {
        const r = least ? least[source * channels + c] : 0;
        for (let i = 0; i < cells; i++) {
          const at = row * size + c * cells + i;
          const way = least ? some.data[source * size + c * cells + i] - r : 1;
          map[i] += way * path.data[at] * gradient[at];
        }
      }
    }
  }
}

/** The layers of the paths: those that are named, or found. */
function layersOf(model: Model, option: string | string[], levels: 2 | 3): string[] {
  const named = [option].flat();
  if (named.length === levels - 1) return chooseLayers(model, named);
  if (levels === 2 || named.length !== 1) {
    throw new FoveaError(
      'usage',
      `iia.layer names ${named.length} layers: expected ${levels - 1} for levels ${levels}${levels === 3 ? ', the earlier one first' : ''}`,
    );
  }
  const spatial = (model.featureMaps?.() ?? []).filter((map) => map.layout === 'channels-first');
  const [last] = chooseLayers(model, named);
  const before = spatial.filter((map) => map.name !== last).at(-1);
  if (!before) throw new FoveaError('unsupported', `${model.name} has no second feature map for three levels: name both layers with the option layer`);
  return [before.name, last];
}

/**
 * Iterated integrated attributions: the integral over a path of pictures, and for each of them over a path of the
 * feature map u from its reference r (the least value of each channel) to u.
 *
 *   map = sum_c ∫∫ (u - r) ⊙ v ⊙ dS/dv dα dβ,   u = layer(b + β (x - b)),   v = r + α (u - r)
 *
 * Three levels interpolate an earlier layer in between. Integrals are means over the points k / n, k = 1 … n.
 */
export const iia = defineMethod({
  name: 'iia',
  title: 'IIA',
  family: 'gradient',
  paper: 'Barkan et al., Visual Explanations via Iterated Integrated Attributions, ICCV 2023, arXiv:2310.18585',
  needs: ['gradients', 'features'],
  signed: true,
  cost: 'n forward, and n² forward and backward through the head only (n = steps): 110 and 100; with three levels n + n² + n³ and n³',
  options: z.object({
    levels: z
      .union([z.literal(2), z.literal(3)])
      .default(2)
      .describe('2: paths of the picture and the last layer; 3: of an earlier layer too'),
    steps: z.int().min(1).max(1000).default(10).describe('points on each path'),
    paths: z.enum(['both', 'image', 'activations']).default('both').describe('which paths are taken; one of them alone is an ablation of the paper'),
    baseline: baselineOption,
    ...camOptions,
  }),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const [, , height, width] = input.shape;
    const { steps, paths } = options;
    const names = layersOf(model, options.layer, options.levels);
    const layer = names[names.length - 1];
    const betas = points(paths !== 'activations', steps);
    const alphas = paths === 'image' ? null : points(true, steps);
    const start = fullBaseline(createBaseline(options.baseline, model, input), input).data;
    const pictures = tensor([betas.length, ...input.shape.slice(1)]);
    betas.forEach((beta, k) => {
      for (let i = 0; i < input.data.length; i++) pictures.data[k * input.data.length + i] = start[i] + beta * (input.data[i] - start[i]);
    });
    const first = await activationsOf(model, names[0], pictures, input);
    const integrals = targets.map((target) => ({ model, layer, target: target.index, score: options.output, batchSize, alphas }));
    const maps: Float64Array[] = targets.map(() => new Float64Array());
    let shape: readonly number[] = [];
    let summed = 0;
    const add = async (values: Tensor): Promise<void> => {
      shape = values.shape.slice(2);
      for (const [t, integral] of integrals.entries()) {
        if (maps[t].length === 0) maps[t] = new Float64Array(sizeOf(shape));
        await addIntegral(integral, values, maps[t]);
      }
      summed += values.shape[0] * (alphas?.length ?? 1);
      progress(summed / (betas.length * (alphas?.length ?? 1) ** names.length));
    };
    if (names.length === 1) await add(first);
    for (let k = 0; names.length === 2 && k < betas.length; k++) {
      const own = rowsOf(first, k, k + 1);
      await add(await activationsOf(model, layer, alphas ? layerPath(own, alphas) : own, input, names[0]));
    }
    return maps.map((map): Attribution => {
      const mean = tensor(
        shape,
        Float32Array.from(map, (value) => value / summed),
      );
      return fromLayers([{ layer, map: mean }], options.relu, height, width, { path: names }, 'bicubic');
    });
  },
});
