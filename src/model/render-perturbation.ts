import { type Tensor, tensor } from '../tensor/tensor.ts';
import { countOf, type Grids, type Perturbation, type Windows } from './perturbation.ts';

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
 * The perturbed pictures themselves, [n, C, H, W]: mask · input + (1 - mask) · baseline. This is
 * the slow way, for models that are plain functions; ONNX models do the same inside their graph.
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
