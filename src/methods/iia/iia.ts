import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import { rowsOf } from '../../model/classifier/batches.ts';
import { baselineOption, createBaseline } from '../../model/input/baseline.ts';
import { type MapLayout, type Model, offsetOf, requireInside } from '../../model/model.ts';
import { integer, option } from '../../options.ts';
import { sizeOf, slab, type Tensor, tensor } from '../../tensor/tensor.ts';
import { type Attribution, defineMethod } from '../method.ts';
import { attentionOf } from '../shared/attention.ts';
import { camOptions, fromLayers } from '../shared/cam.ts';
import { chooseLayers, layoutOf, withLayers } from '../shared/layers.ts';
import { fullBaseline } from '../shared/path.ts';
import { explainAttention } from './attention-path.ts';

/** The points k / n, k = 1 … n, of a path; its end alone where the path is not taken. */
const points = (taken: boolean, n: number): number[] =>
  taken ? Array.from({ length: n }, (_, k) => (k + 1) / n) : [1];

/** Values of a layer for some pictures, and how they hold these. */
interface LayerBatch {
  readonly values: Tensor;
  readonly layout: MapLayout;
}

/** The channel of each element of one row. */
function channelsOf({
  values,
  layout: { layout, channels, height, width },
}: LayerBatch): Uint32Array {
  const area = height * width;
  return Uint32Array.from({ length: values.data.length / values.shape[0] }, (_, i) =>
    layout === 'channels-first' ? Math.floor(i / area) : i % channels,
  );
}

/**
 * The least value of each channel over its cells, for every element: in the shape of the values.
 */
function leastOf(layer: LayerBatch): Tensor {
  const { shape, data } = layer.values;
  const channels = channelsOf(layer);
  const size = channels.length;
  const result = new Float32Array(data.length);
  for (let row = 0; row < data.length; row += size) {
    const least = new Float32Array(layer.layout.channels).fill(Number.POSITIVE_INFINITY);
    for (let i = 0; i < size; i++)
      if (data[row + i] < least[channels[i]]) least[channels[i]] = data[row + i];
    for (let i = 0; i < size; i++) result[row + i] = least[channels[i]];
  }
  return tensor(shape, result);
}

/**
 * r + α (u - r) for each α and each row u of `values`, r the same row of `least`: [rows ·
 * points, …].
 */
function layerPath({ shape, data }: Tensor, least: Tensor, alphas: readonly number[]): Tensor {
  const [rows, ...rest] = shape;
  const size = sizeOf(rest);
  const result = new Float32Array(alphas.length * data.length);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    for (const alpha of alphas) {
      for (let i = row * size; i < (row + 1) * size; i++)
        result[to++] = least.data[i] + alpha * (data[i] - least.data[i]);
    }
  }
  return tensor([rows * alphas.length, ...rest], result);
}

async function activationsOf(
  model: Model,
  layer: string,
  batch: Tensor,
  input: Tensor,
  at?: string,
): Promise<LayerBatch> {
  const [values] = await withLayers(model, [layer], () =>
    requireInside(model).activations([layer], batch, { at }),
  );
  return { values, layout: layoutOf(model, layer, values, input) };
}

/**
 * The last integral for some rows of the layer: sum over rows u and mean over points α of (u - r)
 * ⊙ v ⊙ dS/dv, v = r + α (u - r).
 */
interface LastIntegral {
  readonly model: Model;
  readonly layer: string;
  readonly target: number;
  readonly score: 'logit' | 'probability';
  readonly batchSize?: number;
  /** Points of the path; null where the layer is not interpolated: then the sum of u ⊙ dS/du. */
  readonly alphas: readonly number[] | null;
}

/** Adds the last integral of all rows, over the channels, to `map` [h · w]. */
async function addIntegral(
  { model, layer, target, score, batchSize, alphas }: LastIntegral,
  own: LayerBatch,
  map: Float64Array,
): Promise<void> {
  const { values, layout } = own;
  const least = leastOf(own);
  const request = {
    batch: values,
    reference: least,
    points: alphas ?? [1],
    at: layer,
    target,
    score,
    batchSize,
  };
  const integral = await withLayers(model, [layer], () =>
    requireInside(model).pathIntegral(request),
  );
  if (!integral) throw new FoveaError('unsupported', `${model.name} gives no gradients`);
  const size = values.data.length / values.shape[0];
  for (let row = 0; row < values.data.length; row += size) {
    for (let channel = 0; channel < layout.channels; channel++) {
      for (let cell = 0; cell < map.length; cell++) {
        const at = row + offsetOf(layout, channel, cell);
        map[cell] += (alphas ? values.data[at] - least.data[at] : 1) * integral.data[at];
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
  const [last] = chooseLayers(model, named);
  const before = requireInside(model)
    .featureMaps()
    .filter((map) => map.name !== last)
    .at(-1);
  if (!before)
    throw new FoveaError(
      'unsupported',
      `${model.name} has no second feature map for three levels: name both layers with the option layer`,
    );
  return [before.name, last];
}

/**
 * Iterated integrated attributions: the integral over a path of pictures, and for each of them over
 * a path of the feature map u from its reference r (the least value of each channel) to u.
 *
 *   map = sum_c ∫∫ (u - r) ⊙ v ⊙ dS/dv dα dβ,   u = layer(b + β (x - b)),   v = r + α (u - r)
 *
 * Three levels interpolate an earlier layer in between. Integrals are means over the points k / n,
 * k = 1 … n.
 */
export const iia = defineMethod({
  name: 'iia',
  title: 'IIA',
  family: 'gradient',
  paper:
    'Barkan et al., Visual Explanations via Iterated Integrated Attributions, ICCV 2023, arXiv:2310.18585',
  needs: ['gradients'],
  uses: ['features', 'attention'],
  signed: true,
  cost: 'n forward, and n² forward and backward through the head only (n = steps): 110 and 100; transformers (n + 1)² of the whole: 121; with three levels a power more',
  options: v.object({
    levels: option(
      v.union([v.literal(2), v.literal(3)]),
      2,
      '2: paths of the picture and the last layer; 3: of an earlier layer too',
    ),
    steps: option(v.pipe(integer, v.minValue(1), v.maxValue(1000)), 10, 'points on each path'),
    blocks: option(
      v.picklist(['last', 'all']),
      'last',
      'transformers: whether the attention of the last block is interpolated (of the last two with levels 3), or that of all blocks together',
    ),
    paths: option(
      v.picklist(['both', 'image', 'activations']),
      'both',
      'which paths are taken; one of them alone is an ablation of the paper',
    ),
    baseline: baselineOption,
    ...camOptions,
  }),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const [, , height, width] = input.shape;
    const { steps, paths } = options;
    const start = fullBaseline(createBaseline(options.baseline, model, input), input).data;
    // Attention in the middle of a convolutional network is no transformer: there the last feature
    // map has channels.
    const isTransformer =
      options.layer === 'last' &&
      (requireInside(model).featureMaps().at(-1)?.layout ?? 'tokens') === 'tokens';
    const attention = isTransformer ? attentionOf(model, input) : '';
    if (typeof attention !== 'string') {
      const { levels, blocks, output: score } = options;
      const context = {
        model,
        attention,
        input,
        start,
        steps,
        levels,
        blocks,
        paths,
        score,
        batchSize,
        progress,
      };
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
    const integrals = targets.map((target) => ({
      model,
      layer,
      target: target.index,
      score: options.output,
      batchSize,
      alphas,
    }));
    const maps: Float64Array[] = targets.map(() => new Float64Array());
    let shape: readonly number[] = [];
    let summed = 0;
    const add = async (own: LayerBatch): Promise<void> => {
      shape = [own.layout.height, own.layout.width];
      for (const [t, integral] of integrals.entries()) {
        if (maps[t].length === 0) maps[t] = new Float64Array(sizeOf(shape));
        await addIntegral(integral, own, maps[t]);
      }
      summed += own.values.shape[0];
      progress(summed / (betas.length * (alphas?.length ?? 1) ** (names.length - 1)));
    };
    if (names.length === 1) await add(first);
    for (let k = 0; names.length === 2 && k < betas.length; k++) {
      const values = rowsOf(first.values, k, k + 1);
      const path = alphas ? layerPath(values, leastOf({ ...first, values }), alphas) : values;
      await add(await activationsOf(model, layer, path, input, names[0]));
    }
    return maps.map((map): Attribution => {
      const mean = tensor(
        shape,
        Float32Array.from(map, (value) => value / summed),
      );
      return fromLayers(
        [{ layer, map: mean }],
        options.relu,
        height,
        width,
        { path: names },
        'bicubic',
      );
    });
  },
});
