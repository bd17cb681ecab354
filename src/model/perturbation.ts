import { upsamplingMatrix } from '../image/upsampling.ts';
import { at } from '../tensor/at.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';

/**
 * Rectangles, four integers each: top, left, bottom, right (half-open, in pixels; parts outside the
 * picture are ignored). `keep: 'outside'` replaces the window by the baseline (occlusion);
 * `keep: 'inside'` replaces everything else.
 */
export interface Windows {
  readonly kind: 'windows';
  readonly windows: Int32Array;
  readonly keep: 'inside' | 'outside';
}

/**
 * Small grids of mask values, linearly upsampled: mask = rows[dy : dy + H] · grid · columns[dx :
 * dx + W]ᵀ. `rows` is [at least H, grid height] and `columns` [at least W, grid width]; any
 * linear upsampling is such a pair of matrices. `shifts` holds (dy, dx) for each grid.
 */
export interface Grids {
  readonly kind: 'grids';
  readonly grids: Tensor; // [n, grid height, grid width]
  readonly rows: Tensor;
  readonly columns: Tensor;
  readonly shifts: Int32Array; // [n * 2]
}

/**
 * An order of the pixels: picture i keeps the pixels whose rank is in [from, to). Ranks are a
 * permutation of 0 … H·W - 1; `bounds` has (from, to) for each picture.
 */
export interface Ranks {
  readonly kind: 'ranks';
  readonly ranks: Int32Array; // [H * W]
  readonly bounds: Int32Array; // [n * 2]
}

/**
 * Full-size masks, [n, H, W]: 1 keeps the pixel, 0 replaces it by the baseline, and values in
 * between blend the two.
 */
export interface Masks {
  readonly kind: 'masks';
  readonly masks: Tensor;
}

/**
 * A picture divided into parts. Each copy keeps some of them: `bits` [n, parts] has the share of
 * each part that stays, 0 … 1.
 */
export interface Segments {
  readonly kind: 'segments';
  /** The part of each pixel, 0 … parts - 1, [H · W]. */
  readonly labels: Int32Array;
  readonly bits: Tensor; // [n, parts]
}

/** A family of perturbed pictures, described by as few numbers as possible. */
export type Perturbation = Windows | Grids | Ranks | Segments | Masks;

/**
 * An empty window, followed by the given windows. An empty window hides nothing (or shows nothing),
 * so its score is the reference for the scores of the others, in the same units.
 */
export function withEmptyWindow(windows: Int32Array): Int32Array {
  const all = new Int32Array(windows.length + 4);
  all.set(windows, 4);
  return all;
}

/**
 * Copies of a picture that keep some of its parts, one per row of `kept` [parts]: 1 for parts that
 * stay, 0 for parts that are replaced. `labels` is the part of each pixel, [H · W].
 */
export function keptParts(
  labels: Int32Array,
  parts: number,
  kept: readonly ArrayLike<number>[],
): Segments {
  const bits = tensor([kept.length, parts]);
  kept.forEach((row, i) => bits.data.set(row, i * parts));
  return { kind: 'segments', labels, bits };
}

/**
 * Masks [n · s · s] whose cells are tiles of the picture. The result returns the masks `from` …
 * `to` - 1 as a perturbation.
 */
export function tileMasks(
  masks: Float32Array,
  s: number,
  height: number,
  width: number,
): (from: number, to: number) => Grids {
  const rows = upsamplingMatrix('nearest', s, height);
  const columns = upsamplingMatrix('nearest', s, width);
  return (from, to) => ({
    kind: 'grids',
    grids: tensor([to - from, s, s], masks.subarray(from * s * s, to * s * s)),
    rows,
    columns,
    shifts: new Int32Array(2 * (to - from)),
  });
}

/** How many pictures a perturbation describes. */
export function countOf(p: Perturbation): number {
  switch (p.kind) {
    case 'windows':
      return p.windows.length / 4;
    case 'grids':
      return at(p.grids.shape, 0);
    case 'ranks':
      return p.bounds.length / 2;
    case 'segments':
      return at(p.bits.shape, 0);
    case 'masks':
      return at(p.masks.shape, 0);
  }
}
