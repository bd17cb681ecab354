import { FoveaError } from '../errors.ts';
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
 * One order of the pixels, cut at n places: picture i keeps the pixels whose rank lies in [from,
 * to). Ranks are a permutation of 0 … H·W-1; `bounds` holds (from, to) for each picture.
 */
export interface Ranks {
  readonly kind: 'ranks';
  readonly ranks: Int32Array; // [H * W]
  readonly bounds: Int32Array; // [n * 2]
}

/**
 * Full-size masks, [n, H, W]: 1 keeps the pixel, 0 replaces it by the baseline, between them a
 * blend.
 */
export interface Masks {
  readonly kind: 'masks';
  readonly masks: Tensor;
}

/**
 * A picture divided into parts, of which each copy keeps some: `bits` [n, parts] holds how much of
 * each part stays, 0 … 1.
 */
export interface Segments {
  readonly kind: 'segments';
  /** The part of each pixel, 0 … parts - 1, [H · W]. */
  readonly labels: Int32Array;
  readonly bits: Tensor; // [n, parts]
}

/** A family of perturbed pictures, described by as few numbers as possible. */
export type Perturbation = Windows | Grids | Ranks | Segments | Masks;

/** How many pictures a perturbation describes. */
export function countOf(p: Perturbation): number {
  switch (p.kind) {
    case 'windows':
      return p.windows.length / 4;
    case 'grids':
      return p.grids.shape[0];
    case 'ranks':
      return p.bounds.length / 2;
    case 'segments':
      return p.bits.shape[0];
    case 'masks':
      return p.masks.shape[0];
  }
}

function sliceTensor(x: Tensor, from: number, to: number): Tensor {
  const size = x.data.length / x.shape[0];
  return tensor([to - from, ...x.shape.slice(1)], x.data.subarray(from * size, to * size));
}

/** Pictures `from` … `to`-1 of a perturbation, as views. */
export function slicePerturbation(p: Perturbation, from: number, to: number): Perturbation {
  switch (p.kind) {
    case 'windows':
      return { ...p, windows: p.windows.subarray(4 * from, 4 * to) };
    case 'grids':
      return {
        ...p,
        grids: sliceTensor(p.grids, from, to),
        shifts: p.shifts.subarray(2 * from, 2 * to),
      };
    case 'ranks':
      return { ...p, bounds: p.bounds.subarray(2 * from, 2 * to) };
    case 'segments':
      return { ...p, bits: sliceTensor(p.bits, from, to) };
    case 'masks':
      return { ...p, masks: sliceTensor(p.masks, from, to) };
  }
}

/** mask[y, x] = sum_ij rows[y + dy, i] grid[i, j] columns[x + dx, j], for picture `n`. */
export function renderGrid(
  { grids, rows, columns, shifts }: Grids,
  n: number,
  height: number,
  width: number,
): Float32Array {
  const [, gridHeight, gridWidth] = grids.shape;
  const grid = grids.data.subarray(n * gridHeight * gridWidth, (n + 1) * gridHeight * gridWidth);
  const [dy, dx] = [shifts[2 * n], shifts[2 * n + 1]];
  const mask = new Float32Array(height * width);
  const line = new Float32Array(gridWidth);
  for (let y = 0; y < height; y++) {
    for (let j = 0; j < gridWidth; j++) {
      let sum = 0;
      for (let i = 0; i < gridHeight; i++)
        sum += rows.data[(y + dy) * gridHeight + i] * grid[i * gridWidth + j];
      line[j] = sum;
    }
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let j = 0; j < gridWidth; j++) sum += line[j] * columns.data[(x + dx) * gridWidth + j];
      mask[y * width + x] = sum;
    }
  }
  return mask;
}

function renderWindow(
  { windows, keep }: Windows,
  n: number,
  height: number,
  width: number,
): Float32Array {
  const mask = new Float32Array(height * width).fill(keep === 'outside' ? 1 : 0);
  const [top, left, bottom, right] = windows.subarray(4 * n, 4 * n + 4);
  for (let y = Math.max(0, top); y < Math.min(height, bottom); y++) {
    mask.fill(
      keep === 'outside' ? 0 : 1,
      y * width + Math.min(width, Math.max(0, left)),
      y * width + Math.max(0, Math.min(width, right)),
    );
  }
  return mask;
}

/** The mask of picture `n`, [H · W]: the share of the original in each pixel. */
export function renderMask(
  p: Perturbation,
  n: number,
  height: number,
  width: number,
): Float32Array {
  switch (p.kind) {
    case 'windows':
      return renderWindow(p, n, height, width);
    case 'grids':
      return renderGrid(p, n, height, width);
    case 'ranks': {
      const [from, to] = p.bounds.subarray(2 * n, 2 * n + 2);
      return Float32Array.from(p.ranks, (rank) => (rank >= from && rank < to ? 1 : 0));
    }
    case 'segments':
      return Float32Array.from(p.labels, (label) => p.bits.data[n * p.bits.shape[1] + label]);
    case 'masks':
      return p.masks.data.subarray(n * height * width, (n + 1) * height * width);
  }
}

/**
 * The perturbed pictures themselves, [n, C, H, W]: mask · input + (1 - mask) · baseline.
 * The slow path, for models that are plain functions; ONNX models do this inside their graph.
 */
export function renderPerturbation(input: Tensor, baseline: Tensor, p: Perturbation): Tensor {
  const [, channels, height, width] = input.shape;
  const area = height * width;
  const count = countOf(p);
  const result = new Float32Array(count * channels * area);
  const constant = baseline.shape[2] === 1 && baseline.shape[3] === 1;
  for (let n = 0; n < count; n++) {
    const mask = renderMask(p, n, height, width);
    for (let c = 0; c < channels; c++) {
      const out = (n * channels + c) * area;
      for (let i = 0; i < area; i++) {
        const base = baseline.data[constant ? c : c * area + i];
        result[out + i] = mask[i] * input.data[c * area + i] + (1 - mask[i]) * base;
      }
    }
  }
  return tensor([count, channels, height, width], result);
}

interface Request {
  readonly input: Tensor;
  readonly baseline: Tensor;
  readonly perturbation: Perturbation;
  readonly targets: readonly number[];
}

/**
 * Checks that the parts of a request fit an input [channels, height, width], each other, and the
 * number of classes.
 */
export function checkRequest(
  { input, baseline, perturbation, targets }: Request,
  picture: readonly number[],
  classes: number,
): void {
  const fail = (what: string) => {
    throw new FoveaError('usage', `perturb: ${what}`);
  };
  const [channels, height, width] = picture;
  const is = ({ shape }: Tensor, ...expected: number[]) =>
    shape.length === 4 && expected.every((size, axis) => shape[axis] === size);
  if (!is(input, 1, channels, height, width))
    fail(`the input is ${input.shape.join('×')}, expected 1×${picture.join('×')}`);
  if (!is(baseline, 1, channels, height, width) && !is(baseline, 1, channels, 1, 1)) {
    fail(
      `the baseline is ${baseline.shape.join('×')}, expected 1×${picture.join('×')} or 1×${channels}×1×1`,
    );
  }
  const wrong = targets.find(
    (target) => !(Number.isInteger(target) && target >= 0 && target < classes),
  );
  if (wrong !== undefined)
    fail(`target ${wrong} is no class: expected an index from 0 to ${classes - 1}`);
  checkPerturbation(perturbation, height, width, fail);
}

function checkPerturbation(
  p: Perturbation,
  height: number,
  width: number,
  fail: (what: string) => void,
): void {
  if (p.kind === 'windows' && p.windows.length % 4 !== 0)
    fail('windows need four integers each: top, left, bottom, right');
  if (p.kind === 'masks' && (p.masks.shape[1] !== height || p.masks.shape[2] !== width)) {
    fail(`masks are ${p.masks.shape.slice(1).join('×')}, the model's input is ${height}×${width}`);
  }
  if (p.kind === 'ranks' && p.ranks.length !== height * width) {
    fail(`${p.ranks.length} ranks for an input of ${height}×${width} = ${height * width} pixels`);
  }
  if (p.kind === 'segments') {
    const parts = p.bits.shape[1];
    const wrong = p.labels.find((label) => label < 0 || label >= parts);
    if (p.labels.length !== height * width)
      fail(
        `${p.labels.length} labels for an input of ${height}×${width} = ${height * width} pixels`,
      );
    if (wrong !== undefined) fail(`label ${wrong} is no segment: expected 0 to ${parts - 1}`);
  }
  if (p.kind === 'grids') checkGrids(p, height, width, fail);
}

function checkGrids(p: Grids, height: number, width: number, fail: (what: string) => void): void {
  const [count, gridHeight, gridWidth] = p.grids.shape;
  if (p.rows.shape[1] !== gridHeight || p.columns.shape[1] !== gridWidth)
    fail('the upsampling matrices do not fit the grid');
  if (p.shifts.length !== 2 * count)
    fail(`${count} grids need ${2 * count} shift values, got ${p.shifts.length}`);
  for (let n = 0; n < count; n++) {
    const [dy, dx] = [p.shifts[2 * n], p.shifts[2 * n + 1]];
    if (dy < 0 || dx < 0 || dy + height > p.rows.shape[0] || dx + width > p.columns.shape[0]) {
      fail(`shift (${dy}, ${dx}) of grid ${n} leaves the upsampled mask`);
    }
  }
}
