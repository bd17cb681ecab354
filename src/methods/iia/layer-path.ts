import { FoveaError } from '../../errors.ts';
import { rowsOf } from '../../model/classifier/batches.ts';
import { type MapLayout, type Model, offsetOf, requireInside } from '../../model/model.ts';
import { sizeOf, slab, type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Attribution, MethodContext } from '../method.ts';
import { type CamOptions, fromLayers } from '../shared/cam.ts';
import { chooseLayers, layoutOf, withLayers } from '../shared/layers.ts';

/** Options of the paths through the layers of a network. */
export interface LayerPathOptions extends CamOptions {
  readonly levels: 2 | 3;
  readonly steps: number;
  readonly paths: 'both' | 'image' | 'activations';
}

/** The points k / n, k = 1 … n, of a path; only its end if the path is not used. */
const points = (taken: boolean, n: number): number[] =>
  taken ? Array.from({ length: n }, (_, k) => (k + 1) / n) : [1];

/** The values of a layer for some pictures, and the layout of its cells and channels. */
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
 * For every element, the least value of its channel over the cells. The result has the shape of the
 * values.
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
 * r + α (u - r) for each α and each row u of `values`, [rows · points, …]. r is the same row of
 * `least`.
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
 * The innermost integral: the sum over the rows u of a layer, and the mean over the points α, of (u
 * - r) ⊙ v ⊙ dS/dv with v = r + α (u - r).
 */
interface LastIntegral {
  readonly model: Model;
  readonly layer: string;
  readonly target: number;
  readonly score: 'logit' | 'probability';
  readonly batchSize?: number;
  /**
   * Points of the path. If the layer is not interpolated, it is null, and the integral is the sum
   * of u ⊙ dS/du.
   */
  readonly alphas: readonly number[] | null;
}

/** Adds the innermost integral of all rows, summed over the channels, to `map` [h · w]. */
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
  if (!integral) throw new FoveaError('unsupported', `${model.name} has no gradients`);
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

/** The layers of the paths: the named layers, or the last feature maps. */
function layersOf(model: Model, option: string | string[], levels: 2 | 3): string[] {
  const named = [option].flat();
  if (named.length === levels - 1) return chooseLayers(model, named);
  if (levels === 2 || named.length !== 1) {
    throw new FoveaError(
      'usage',
      `iia.layer names ${named.length} layers: expected ${levels - 1} for levels ` +
        `${levels}${levels === 3 ? ', with the earlier layer first' : ''}`,
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
      `${model.name} has no second feature map for three levels: ` +
        `name both layers with the option layer`,
    );
  return [before.name, last];
}

/** The pictures b + β (x - b) of a path, [points, C, H, W]. */
function picturePath(input: Tensor, start: Float32Array, betas: readonly number[]): Tensor {
  const { data, shape } = input;
  const pictures = tensor([betas.length, ...shape.slice(1)]);
  for (const [k, beta] of betas.entries()) {
    const picture = slab(pictures, k).data;
    for (let i = 0; i < data.length; i++) picture[i] = start[i] + beta * (data[i] - start[i]);
  }
  return pictures;
}

/** The sums of the innermost integrals per target, and the number of rows in them. */
class Sums {
  readonly maps: Float64Array[] = [];
  shape: readonly number[] = [];
  rows = 0;
  private readonly integrals: readonly LastIntegral[];

  constructor(integrals: readonly LastIntegral[]) {
    this.integrals = integrals;
  }

  /** Adds the integrals of all rows of the last layer. */
  async add(own: LayerBatch): Promise<void> {
    this.shape = [own.layout.height, own.layout.width];
    for (const [t, integral] of this.integrals.entries()) {
      const map = this.maps[t] ?? new Float64Array(sizeOf(this.shape));
      this.maps[t] = map;
      await addIntegral(integral, own, map);
    }
    this.rows += own.values.shape[0];
  }

  /** The mean map of each target. */
  means(): Tensor[] {
    return this.maps.map((map) =>
      tensor(
        this.shape,
        Float32Array.from(map, (value) => value / this.rows),
      ),
    );
  }
}

/**
 * Iterated integrated attributions over layers, one map per target of the context. The path of
 * pictures starts at `start`, which has the shape of the input.
 */
export async function explainLayerPaths(
  context: MethodContext<LayerPathOptions>,
  start: Float32Array,
): Promise<Attribution[]> {
  const { model, input, targets, options, batchSize, progress } = context;
  const { steps, paths, levels, output: score } = options;
  const [, , height = 0, width = 0] = input.shape;
  const names = layersOf(model, options.layer, levels);
  const [first = '', second] = names;
  const layer = second ?? first;
  const betas = points(paths !== 'activations', steps);
  const alphas = paths === 'image' ? null : points(true, steps);
  const seen = await activationsOf(model, first, picturePath(input, start, betas), input);
  const sums = new Sums(
    targets.map(({ index: target }) => ({ model, layer, target, score, batchSize, alphas })),
  );
  const total = betas.length * (alphas?.length ?? 1) ** (names.length - 1);
  const add = async (own: LayerBatch): Promise<void> => {
    await sums.add(own);
    progress(sums.rows / total);
  };
  if (second === undefined) await add(seen);
  for (let k = 0; second !== undefined && k < betas.length; k++) {
    const values = rowsOf(seen.values, k, k + 1);
    const path = alphas ? layerPath(values, leastOf({ ...seen, values }), alphas) : values;
    await add(await activationsOf(model, second, path, input, first));
  }
  const extras = { path: names };
  return sums
    .means()
    .map((map) => fromLayers([{ layer, map }], options.relu, height, width, extras, 'bicubic'));
}
