import { type MapLayout, type Model, requireInside, type ScoreKind } from '../../model/model.ts';
import { at } from '../../tensor/at.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Attribution, LayerMap, MethodContext } from '../method.ts';
import { type CamOptions, fromLayers } from './cam.ts';
import { channelsFirst } from './channel-maps.ts';
import { gradientsOf } from './gradients.ts';
import { chooseLayers, layoutOf, withLayers } from './layers.ts';

/** The memory for altered feature maps of one batch, in bytes. */
const GROUP_BYTES = 32 * 2 ** 20;

/** The values of one layer for one picture. */
export interface LayerValues {
  readonly name: string;
  /** In the layout of the network, [1, …]. */
  readonly values: Tensor;
  readonly layout: MapLayout;
  /** With channels first, [C, h, w]. */
  readonly activations: Tensor;
}

/** Runs the network once and returns the values of the named layers. */
export async function readLayers(
  model: Model,
  names: readonly string[],
  input: Tensor,
): Promise<LayerValues[]> {
  const { activations } = requireInside(model);
  const read = await withLayers(model, names, () => activations(names, input));
  return names.map((name, l) => {
    const values = at(read, l);
    const layout = layoutOf(model, name, values, input);
    return { name, values, layout, activations: channelsFirst(values, 0, layout) };
  });
}

/**
 * Computes the map of each layer that the options name, for each class. `mapOf` computes one map
 * [h, w] and reports its own progress, 0 … 1.
 */
export async function explainLayers(
  { model, input, targets, options, progress }: MethodContext<CamOptions>,
  mapOf: (layer: LayerValues, target: number, report: (share: number) => void) => Promise<Tensor>,
): Promise<Attribution[]> {
  const [, , height = 0, width = 0] = input.shape;
  const layers = await readLayers(model, chooseLayers(model, options.layer), input);
  const attributions: Attribution[] = [];
  for (const [t, { index }] of targets.entries()) {
    const maps: LayerMap[] = [];
    for (const [l, layer] of layers.entries()) {
      const report = (share: number): void =>
        progress((t + (l + share) / layers.length) / targets.length);
      const map = await withLayers(model, [layer.name], () => mapOf(layer, index, report));
      maps.push({ layer: layer.name, map });
    }
    attributions.push(fromLayers(maps, options.relu, height, width));
  }
  return attributions;
}

/** The request of `headScores`: the altered feature maps to score. */
export interface HeadRun {
  readonly model: Model;
  readonly layer: LayerValues;
  readonly target: number;
  readonly score: ScoreKind;
  readonly batchSize?: number;
  readonly count: number;
  /** Changes copy `k` of the values of the layer, in place. */
  readonly alter: (k: number, values: Float32Array) => void;
  readonly onProgress?: (done: number) => void;
}

/**
 * The score of one class for `count` altered copies of a feature map, [count]. Only the part of the
 * network after the feature map runs.
 */
export async function headScores({
  model,
  layer,
  target,
  score,
  batchSize,
  count,
  alter,
  onProgress,
}: HeadRun): Promise<Float64Array> {
  const { values, name } = layer;
  const size = values.data.length;
  const group = Math.max(1, Math.floor(GROUP_BYTES / (4 * size)));
  const scores = new Float64Array(count);
  for (let from = 0; from < count; from += group) {
    const rows = Math.min(group, count - from);
    const batch = tensor([rows, ...values.shape.slice(1)]);
    for (let k = 0; k < rows; k++) {
      const row = batch.data.subarray(k * size, (k + 1) * size);
      row.set(values.data);
      alter(from + k, row);
    }
    const answer = await gradientsOf(model, {
      batch,
      at: name,
      wrt: [],
      targets: [target],
      score,
      batchSize,
    });
    scores.set(answer.scores.data, from);
    onProgress?.(from + rows);
  }
  return scores;
}
