import { z } from 'zod';
import { FoveaError } from '../../errors.ts';
import { baselineOption, createBaseline } from '../../model/baseline.ts';
import { rowsOf } from '../../model/batching.ts';
import type { Model } from '../../model/model.ts';
import { sizeOf, slab, type Tensor, tensor } from '../../tensor/tensor.ts';
import { attentionOf } from '../internal/attention.ts';
import { camOptions, fromLayers } from '../internal/cam.ts';
import { chooseLayers, layoutOf, withLayers } from '../internal/layers.ts';
import { fullBaseline } from '../internal/path.ts';
import { type Attribution, defineMethod } from '../method.ts';
import { explainAttention } from './attention-path.ts';

/** The points k / n, k = 1 … n, of a path; its end alone where the path is not taken. */
const points = (taken: boolean, n: number): number[] => (taken ? Array.from({ length: n }, (_, k) => (k + 1) / n) : [1]);

/** r + α (u - r) for each α and each row of `values`: [rows · points, …]; r is the least value of each channel over its cells. */
function layerPath({ shape, data }: Tensor, least: Float32Array, alphas: readonly number[]): Tensor {
  const [rows, channels, height, width] = shape;
  const cells = height * width;
  const result = new Float32Array(alphas.length * data.length);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    for (const alpha of alphas) {
      for (let channel = row * channels; channel < (row + 1) * channels; channel++) {
        const r = least[channel];
        for (let i = channel * cells; i < (channel + 1) * cells; i++) result[to++] = r + alpha * (data[i] - r);
      }
    }
  }
  return tensor([rows * alphas.length, channels, height, width], result);
}

/** The least value of each channel over its cells, [rows · channels]. */
function leastOf({ shape, data }: Tensor): Float32Array {
  const cells = shape[2] * shape[3];
  const least = new Float32Array(data.length / cells).fill(Number.POSITIVE_INFINITY);
  for (let i = 0, channel = 0; channel < least.length; channel++) {
    for (let end = i + cells; i < end; i++) if (data[i] < least[channel]) least[channel] = data[i];
  }
  return least;
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

/** The last integral for some rows of the layer: sum over rows u and mean over points α of (u - r) ⊙ v ⊙ dS/dv, v = r + α (u - r). */
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
  const least = leastOf(values);
  const request = { batch: values, reference: layerPath(values, least, [0]), points: alphas ?? [1], at: layer, target, score, batchSize };
  const integral = await model.pathIntegral?.(request);
  if (!integral) throw new FoveaError('unsupported', `${model.name} gives no gradients`);
  const cells = map.length;
  for (let channel = 0, at = 0; channel < least.length; channel++) {
    for (let i = 0; i < cells; i++, at++) map[i] += (alphas ? values.data[at] - least[channel] : 1) * integral.data[at];
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
  cost: 'n forward, and n² forward and backward through the head only (n = steps): 110 and 100; transformers (n + 1)² of the whole: 121; with three levels a power more',
  options: z.object({
    levels: z
      .union([z.literal(2), z.literal(3)])
      .default(2)
      .describe('2: paths of the picture and the last layer; 3: of an earlier layer too'),
    steps: z.int().min(1).max(1000).default(10).describe('points on each path'),
    blocks: z
      .enum(['last', 'all'])
      .default('last')
      .describe('transformers: whether the attention of the last block is interpolated (of the last two with levels 3), or that of all blocks together'),
    paths: z.enum(['both', 'image', 'activations']).default('both').describe('which paths are taken; one of them alone is an ablation of the paper'),
    baseline: baselineOption,
    ...camOptions,
  }),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const [, , height, width] = input.shape;
    const { steps, paths } = options;
    const start = fullBaseline(createBaseline(options.baseline, model, input), input).data;
    const attention = options.layer === 'last' ? attentionOf(model, input) : '';
    if (typeof attention !== 'string') {
      const { levels, blocks, output: score } = options;
      const context = { model, attention, input, start, steps, levels, blocks, paths, score, batchSize, progress };
      return explainAttention(
        context,
        targets.map((target) => target.index),
      );
    }
    const names = layersOf(model, options.layer, options.levels);
    const layer = names[names.length - 1];
    const betas = points(paths !== 'activations', steps);
    const alphas = paths === 'image' ? null : points(true, steps);
    const {
      data,
      shape: [, ...pixels],
    } = input;
    const pictures = tensor([betas.length, ...pixels]);
    for (const [k, beta] of betas.entries()) {
      const picture = slab(pictures, k).data;
      for (let i = 0; i < data.length; i++) picture[i] = start[i] + beta * (data[i] - start[i]);
    }
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
      summed += values.shape[0];
      progress(summed / (betas.length * (alphas?.length ?? 1) ** (names.length - 1)));
    };
    if (names.length === 1) await add(first);
    for (let k = 0; names.length === 2 && k < betas.length; k++) {
      const own = rowsOf(first, k, k + 1);
      await add(await activationsOf(model, layer, alphas ? layerPath(own, leastOf(own), alphas) : own, input, names[0]));
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
