import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import { type AttentionMap, type Model, requireInside } from '../../model/model.ts';
import { integer } from '../../options.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Attribution } from '../method.ts';
import { fromLayers } from './cam.ts';
import { gridOf } from './layers.ts';

/** The attention of a transformer in which every token attends to all tokens. */
export interface Attention {
  readonly maps: readonly AttentionMap[];
  readonly tokens: number;
  /**
   * The number of tokens before the tokens of the grid: the class token first, then distillation
   * and register tokens.
   */
  readonly prefix: number;
  readonly height: number;
  readonly width: number;
}

/** The option for the first block of a rollout. */
export const firstBlockOption = v.pipe(
  integer,
  v.minValue(0),
  v.description('the first block of the rollout, counted from 0'),
);

/** The reason why the attention of a network cannot be rolled out; empty if it can. */
function obstacle(maps: readonly AttentionMap[]): string {
  if (maps.length === 0) return 'has none';
  const within = maps.find((map) => map.windows > 1);
  if (within) return `attends within windows (${within.name})`;
  const other = maps.find((map) => map.queries !== map.keys || map.keys !== maps[0].keys);
  return other ? `has attention of ${other.queries}×${other.keys} tokens (${other.name})` : '';
}

/** The attention of a network, or the reason why a method cannot use it. */
export function attentionOf(model: Model, input: Tensor): Attention | string {
  const maps = requireInside(model).attentionMaps();
  const reason = obstacle(maps);
  if (reason !== '') return reason;
  const [{ keys }] = maps;
  const grid = gridOf(model, keys, input);
  return grid
    ? { maps, tokens: keys, ...grid }
    : `has ${keys} tokens, which do not form a grid with the shape of the picture`;
}

/**
 * The attention that a method needs.
 * @throws FoveaError `unsupported` if the network has no attention, or if its attention is not
 * between all tokens of a grid.
 */
export function requireAttention(model: Model, input: Tensor, method: string): Attention {
  const found = attentionOf(model, input);
  if (typeof found !== 'string') return found;
  throw new FoveaError(
    'unsupported',
    `${method} needs attention maps in which all tokens attend to all tokens, but ` +
      `${model.name} ${found}: use a method for any network, such as grad-cam, iia or rise`,
  );
}

/**
 * How many rows [heads, tokens, tokens] of all blocks, with their gradients, fit into `bytes` of
 * memory; at least 1.
 */
export function rowsAtOnce({ maps, tokens }: Attention, bytes = 192 * 2 ** 20): number {
  const row = maps.reduce((sum, { heads }) => sum + 8 * heads * tokens * tokens, 0);
  return Math.max(1, Math.floor(bytes / row));
}

/**
 * Applies f to each element of one or two tensors [n, heads, tokens, tokens], for the rows `from`
 * to `to` - 1. Adds the results, summed over rows and heads, to `sum` [tokens · tokens].
 */
export function addOverHeads(
  sum: Float64Array,
  tensors: readonly Tensor[],
  f: (...values: number[]) => number,
  from = 0,
  to = tensors[0].shape[0],
): void {
  const area = sum.length;
  const row = tensors[0].data.length / tensors[0].shape[0];
  const [a, b] = tensors.map(({ data }) => data);
  for (let i = from * row; i < to * row; i++)
    sum[i % area] += b === undefined ? f(a[i]) : f(a[i], b[i]);
}

/** The mean over the heads of f, applied to each element of row `row`: [tokens · tokens]. */
export function meanOverHeads(
  tensors: readonly Tensor[],
  f: (...values: number[]) => number,
  row = 0,
): Float64Array {
  const [, heads, tokens] = tensors[0].shape;
  const sum = new Float64Array(tokens * tokens);
  addOverHeads(sum, tensors, f, row, row + 1);
  return sum.map((value) => value / heads);
}

/** max(a b, 0) */
export const positiveProduct = (a: number, b: number): number => Math.max(0, a * b);

/**
 * The weight of each row of a matrix of tokens, [tokens], which add up to 1. Only tokens that
 * affect the scores have a weight. If only the class token affects the scores, its weight is 1. If
 * the distillation token does too, each has half. If only the patches do, they have equal weights.
 * If both the patches and such tokens do, each group has half.
 */
function readingRow({ maps, tokens, prefix, height, width }: Attention): Float64Array {
  const row = new Float64Array(tokens);
  const { readBy } = maps[maps.length - 1];
  const chosen = readBy.picked.filter((token) => token < prefix);
  const patches = readBy.patches || chosen.length === 0;
  const share = patches && chosen.length > 0 ? 0.5 : 1;
  if (patches) row.fill(share / (height * width), prefix, prefix + height * width);
  for (const token of chosen) row[token] = share / chosen.length;
  return row;
}

/**
 * The row, [tokens], of the tokens that affect the scores in the product (I + A_L) ⋯ (I + A_1),
 * with A_l [tokens · tokens]. With `normalize`, each row of a factor is divided by its sum. The row
 * is multiplied from the last matrix to the first, so no two matrices are multiplied.
 */
export function rolloutRow(
  attention: Attention,
  matrices: readonly Float64Array[],
  normalize: boolean,
): Float64Array {
  const { tokens } = attention;
  return matrices.toReversed().reduce((row, matrix) => {
    const next = new Float64Array(tokens);
    for (let i = 0; i < tokens; i++) {
      const line = matrix.subarray(i * tokens, (i + 1) * tokens);
      const weight = row[i] / (normalize ? 1 + line.reduce((sum, value) => sum + value, 0) : 1);
      next[i] += weight;
      for (let j = 0; j < tokens; j++) next[j] += weight * line[j];
    }
    return next;
  }, readingRow(attention));
}

/** The row, [tokens], of the tokens that affect the scores in one matrix [tokens · tokens]. */
export function readRow(attention: Attention, matrix: Float64Array): Float64Array {
  const { tokens } = attention;
  const weights = readingRow(attention);
  return Float64Array.from({ length: tokens }, (_, j) =>
    weights.reduce((sum, weight, i) => sum + weight * matrix[i * tokens + j], 0),
  );
}

/**
 * Makes the attribution of a row [tokens]: the values of the tokens of the grid, upsampled
 * bilinearly with half-pixel centers. `layer` is the name of the attention, by default the last
 * one.
 */
export function fromTokens(
  attention: Attention,
  row: Float64Array,
  input: Tensor,
  extras: Attribution['extras'] = {},
  layer?: string,
): Attribution {
  const { prefix, height, width, maps } = attention;
  const last = maps[maps.length - 1];
  const map = tensor(
    [height, width],
    Float32Array.from(row.subarray(prefix, prefix + height * width)),
  );
  return fromLayers([{ layer: layer ?? last.name, map }], false, input.shape[2], input.shape[3], {
    readBy: last.readBy,
    ...extras,
  });
}
