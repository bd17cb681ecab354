import type { GraphBuilder } from '../../onnx/index.ts';
import type { RuntimeTensor } from '../../runtime/runtime.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Perturbation } from '../perturbation.ts';
import type { ClassifierInput } from './find-io.ts';
import { float32, type Stage } from './picture-stage.ts';

/** The first opset with all operators of the stages (Where and integer Less). */
export const OLDEST_STAGE_OPSET = 9;

const names = {
  input: 'fovea/input',
  baseline: 'fovea/baseline',
  windows: 'fovea/windows',
  grids: 'fovea/grids',
  rows: 'fovea/rows',
  columns: 'fovea/columns',
  shifts: 'fovea/shifts',
  ranks: 'fovea/ranks',
  bounds: 'fovea/bounds',
  labels: 'fovea/labels',
  bits: 'fovea/bits',
  masks: 'fovea/masks',
} as const;

/** Column `index` of an integer tensor [n, k] as [n, 1, 1, 1]. */
function column(
  b: GraphBuilder,
  table: string,
  index: number,
  shape: readonly number[] = [-1, 1, 1, 1],
): string {
  const picked = b.add('Gather', [table, b.constant([index], [1], 'int64')], { axis: 1 });
  return b.add('Reshape', [picked, b.constant(shape, [shape.length], 'int64')]);
}

const indices = (length: number) => Array.from({ length }, (_, i) => i);

/** from <= x and x < to */
function between(b: GraphBuilder, x: string, from: string, to: string): string {
  return b.add('And', [b.add('Not', [b.add('Less', [x, from])]), b.add('Less', [x, to])]);
}

/** Boolean [n, 1, H, W]: inside the window (top, left, bottom, right). */
function windowRegion(b: GraphBuilder, height: number, width: number): string {
  const windows = b.input(names.windows, 'int32', ['n', 4]);
  const y = b.constant(indices(height), [1, 1, height, 1], 'int32');
  const x = b.constant(indices(width), [1, 1, 1, width], 'int32');
  const [top, left] = [column(b, windows, 0), column(b, windows, 1)];
  const [bottom, right] = [column(b, windows, 2), column(b, windows, 3)];
  return b.add('And', [between(b, y, top, bottom), between(b, x, left, right)]);
}

/** Boolean [n, 1, H, W]: the rank of the pixel is in [from, to). */
function rankRegion(b: GraphBuilder, height: number, width: number): string {
  const ranks = b.input(names.ranks, 'int32', [1, 1, height, width]);
  const bounds = b.input(names.bounds, 'int32', ['n', 2]);
  return between(b, ranks, column(b, bounds, 0), column(b, bounds, 1));
}

/** Float [n, 1, H, W]: rows[dy : dy + H] · grid · columns[dx : dx + W]ᵀ */
function gridMask(b: GraphBuilder, height: number, width: number): string {
  const grids = b.input(names.grids, 'float32', ['n', 'grid height', 'grid width']);
  const shifts = b.input(names.shifts, 'int64', ['n', 2]);
  const weights = (name: string, index: number, length: number) => {
    const matrix = b.input(name, 'float32', [null, null]);
    const offsets = b.add('Add', [
      b.constant(indices(length), [1, length], 'int64'),
      column(b, shifts, index, [-1, 1]),
    ]);
    return b.add('Gather', [matrix, offsets], { axis: 0 });
  };
  const columns = b.add('Transpose', [weights(names.columns, 1, width)], { perm: [0, 2, 1] });
  const mask = b.add('MatMul', [b.add('MatMul', [weights(names.rows, 0, height), grids]), columns]);
  return b.add('Reshape', [mask, b.constant([-1, 1, height, width], [4], 'int64')]);
}

/** Float [n, 1, H, W]: the share that stays of the part that the pixel belongs to. */
function segmentMask(b: GraphBuilder, height: number, width: number): string {
  const labels = b.input(names.labels, 'int32', [height * width]);
  const mask = b.add('Gather', [b.input(names.bits, 'float32', ['n', 'parts']), labels], {
    axis: 1,
  });
  return b.add('Reshape', [mask, b.constant([-1, 1, height, width], [4], 'int64')]);
}

/**
 * baseline + mask · (input - baseline). The difference is a single picture, so only two operators
 * run over all n pictures.
 */
function blend(b: GraphBuilder, mask: string, input: string, baseline: string): string {
  return b.add('Add', [b.add('Mul', [mask, b.add('Sub', [input, baseline])]), baseline]);
}

function perturbed(
  b: GraphBuilder,
  kind: Perturbation['kind'],
  { channels, height, width }: ClassifierInput,
): string {
  const input = b.input(names.input, 'float32', [1, channels, null, null]);
  const baseline = b.input(names.baseline, 'float32', [1, channels, null, null]);
  switch (kind) {
    case 'windows':
      return b.add('Where', [windowRegion(b, height, width), input, baseline]);
    case 'ranks':
      return b.add('Where', [rankRegion(b, height, width), input, baseline]);
    case 'grids':
      return blend(b, gridMask(b, height, width), input, baseline);
    case 'segments':
      return blend(b, segmentMask(b, height, width), input, baseline);
    case 'masks': {
      const masks = b.input(names.masks, 'float32', ['n', height, width]);
      return blend(
        b,
        b.add('Reshape', [masks, b.constant([-1, 1, height, width], [4], 'int64')]),
        input,
        baseline,
      );
    }
  }
}

/** The stage that makes perturbed pictures from the few numbers of a perturbation. */
export const perturbationStage = (kind: Perturbation['kind']): Stage => ({
  name: kind,
  pictures: (b, input) => perturbed(b, kind, input),
});

const int32 = (shape: readonly number[], data: Int32Array): RuntimeTensor => ({
  type: 'int32',
  shape,
  data,
});

/**
 * The feeds of a perturbation stage: the picture, the baseline, and the few numbers of the
 * perturbation.
 */
export function perturbationFeeds(
  input: Tensor,
  baseline: Tensor,
  p: Perturbation,
): Record<string, RuntimeTensor> {
  // Hiding a window is the same as showing the baseline through it. So the picture and the baseline
  // change places, and the graph stays the same.
  const [shown, around] =
    p.kind === 'windows' && p.keep === 'outside' ? [baseline, input] : [input, baseline];
  const feeds: Record<string, RuntimeTensor> = {
    [names.input]: float32(shown),
    [names.baseline]: float32(around),
  };
  switch (p.kind) {
    case 'windows':
      feeds[names.windows] = int32([p.windows.length / 4, 4], p.windows);
      break;
    case 'ranks':
      feeds[names.ranks] = int32([1, 1, ...input.shape.slice(2)], p.ranks);
      feeds[names.bounds] = int32([p.bounds.length / 2, 2], p.bounds);
      break;
    case 'segments':
      feeds[names.labels] = int32([p.labels.length], p.labels);
      feeds[names.bits] = float32(p.bits);
      break;
    case 'masks':
      feeds[names.masks] = float32(p.masks);
      break;
    case 'grids': {
      const shifts = BigInt64Array.from(p.shifts, BigInt);
      feeds[names.grids] = float32(p.grids);
      feeds[names.rows] = float32(p.rows);
      feeds[names.columns] = float32(p.columns);
      feeds[names.shifts] = { type: 'int64', shape: [shifts.length / 2, 2], data: shifts };
    }
  }
  return feeds;
}
