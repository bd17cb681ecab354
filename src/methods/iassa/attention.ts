import { interpolate } from '../../image/interpolate.ts';
import { type FeatureMap, type Model, offsetOf } from '../../model/model.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';

/**
 * The largest number of cells of the attention. A finer grid costs seconds and gains almost nothing
 * (docs/methods/iassa-2020.md).
 */
const MAX_CELLS = 28 * 28;
/** The paper concatenates the features of four levels (eq. 9). */
const LEVELS = 4;

/**
 * Long-range spatial attention of one picture: which cells look alike to the network. It is
 * computed once per picture.
 */
export interface Attention {
  /** The tensors that were compared. */
  readonly layers: readonly string[];
  readonly height: number;
  readonly width: number;
  /** The product A · S for a map S [H, W], upsampled to [H, W]. */
  apply(map: Tensor): Tensor;
}

/**
 * The feature maps that the attention compares: the at most four coarsest levels with a small
 * enough grid, from fine to coarse.
 */
export function attentionLevels(maps: readonly FeatureMap[]): FeatureMap[] {
  return maps
    .filter((map) => map.height * map.width <= MAX_CELLS && map.height * map.width > 1)
    .slice(-LEVELS);
}

/**
 * The feature vectors of the cells, [cells, channels], each scaled to length 1 (a zero vector stays
 * 0).
 */
function unitFeatures(activation: Tensor, map: FeatureMap): Float32Array {
  const { channels, height, width } = map;
  const cells = height * width;
  const result = new Float32Array(cells * channels);
  for (let cell = 0; cell < cells; cell++) {
    const at = (c: number) => activation.data[offsetOf(map, c, cell)];
    let norm = 0;
    for (let c = 0; c < channels; c++) norm += at(c) ** 2;
    const scale = norm > 0 ? 1 / Math.sqrt(norm) : 0;
    for (let c = 0; c < channels; c++) result[cell * channels + c] = at(c) * scale;
  }
  return result;
}

/** Cosine similarity of all cells of one level with each other: Phi' Phi'ᵀ, [cells, cells]. */
function gram(features: Float32Array, cells: number, channels: number): Float32Array {
  const result = new Float32Array(cells * cells);
  for (let p = 0; p < cells; p++) {
    for (let q = p; q < cells; q++) {
      let dot = 0;
      for (let c = 0, i = p * channels, j = q * channels; c < channels; c++)
        dot += features[i + c] * features[j + c];
      result[p * cells + q] = dot;
      result[q * cells + p] = dot;
    }
  }
  return result;
}

/** For each cell of a fine grid, the coarse cell that nearest-neighbor upsampling copies to it. */
function nearestCells(fine: FeatureMap, coarse: FeatureMap): Uint32Array {
  return Uint32Array.from({ length: fine.height * fine.width }, (_, i) => {
    const y = Math.floor((Math.floor(i / fine.width) * coarse.height) / fine.height);
    const x = Math.floor(((i % fine.width) * coarse.width) / fine.width);
    return y * coarse.width + x;
  });
}

/**
 * A = softmax_q( mean over levels of cos(Phi_l(p), Phi_l(q)) / temperature ), [cells, cells], with
 * one softmax per row, so each row sums to 1 (eq. 10).
 *
 * Levels are upsampled by nearest neighbor. So the similarity of two fine cells is a sum of entries
 * of small Gram matrices, one per level. The long feature vectors are never multiplied at the fine
 * resolution.
 */
function affinity(
  levels: readonly FeatureMap[],
  activations: readonly Tensor[],
  temperature: number,
): Float32Array {
  const cells = levels[0].height * levels[0].width;
  const parts = levels.map((level, l) => ({
    size: level.height * level.width,
    similarity: gram(
      unitFeatures(activations[l], level),
      level.height * level.width,
      level.channels,
    ),
    cell: nearestCells(levels[0], level),
  }));
  const result = new Float32Array(cells * cells);
  const scale = 1 / (levels.length * temperature);
  for (let p = 0; p < cells; p++) {
    const row = result.subarray(p * cells, (p + 1) * cells);
    for (const { size, similarity, cell } of parts) {
      const base = cell[p] * size;
      for (let q = 0; q < cells; q++) row[q] += similarity[base + cell[q]];
    }
    softmaxInPlace(row, scale);
  }
  return result;
}

/** softmax(scale · x) in place. The maximum is subtracted first, so that nothing overflows. */
function softmaxInPlace(row: Float32Array, scale: number): void {
  let max = Number.NEGATIVE_INFINITY;
  for (let q = 0; q < row.length; q++) if (row[q] > max) max = row[q];
  let sum = 0;
  for (let q = 0; q < row.length; q++) {
    row[q] = Math.exp((row[q] - max) * scale);
    sum += row[q];
  }
  for (let q = 0; q < row.length; q++) row[q] /= sum;
}

/** Mean of a map over each cell of a grid, [height · width]. */
export function cellMeans(map: Tensor, height: number, width: number): Float32Array {
  const [mapHeight, mapWidth] = map.shape;
  const sums = new Float64Array(height * width);
  const counts = new Float64Array(height * width);
  for (let y = 0; y < mapHeight; y++) {
    const row = Math.floor((y * height) / mapHeight) * width;
    for (let x = 0; x < mapWidth; x++) {
      const cell = row + Math.floor((x * width) / mapWidth);
      sums[cell] += map.data[y * mapWidth + x];
      counts[cell]++;
    }
  }
  return Float32Array.from(sums, (sum, i) => (counts[i] > 0 ? sum / counts[i] : 0));
}

/**
 * The attention of a network for one picture (Vasu & Long 2020, eq. 9 and 10), from one forward
 * pass. `layers` replaces the automatic choice of feature maps. Returns undefined if the model has
 * no usable feature maps.
 */
export async function createAttention(
  model: Model,
  input: Tensor,
  temperature: number,
  layers?: readonly FeatureMap[],
): Promise<Attention | undefined> {
  const levels = [...(layers ?? attentionLevels(model.inside?.featureMaps() ?? []))].sort(
    (a, b) => b.height * b.width - a.height * a.width,
  );
  if (levels.length === 0 || !model.inside) return undefined;
  const activations = await model.inside.activations(
    levels.map((level) => level.name),
    input,
  );
  const { height, width } = levels[0];
  const cells = height * width;
  const matrix = affinity(levels, activations, temperature);
  const apply = (map: Tensor): Tensor => {
    const values = cellMeans(map, height, width);
    const attended = new Float32Array(cells);
    for (let p = 0; p < cells; p++) {
      let sum = 0;
      for (let q = 0, row = p * cells; q < cells; q++) sum += matrix[row + q] * values[q];
      attended[p] = sum;
    }
    const [mapHeight, mapWidth] = map.shape;
    return interpolate(tensor([height, width], attended), mapHeight, mapWidth, {
      mode: 'bilinear',
      alignCorners: true,
    });
  };
  return { layers: levels.map((level) => level.name), height, width, apply };
}
