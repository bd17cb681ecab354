import { FoveaError } from '../errors.ts';
import { at } from '../tensor/at.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import type { Grids, Perturbation } from './perturbation.ts';

function sliceTensor(x: Tensor, from: number, to: number): Tensor {
  const size = x.data.length / at(x.shape, 0);
  return tensor([to - from, ...x.shape.slice(1)], x.data.subarray(from * size, to * size));
}

/** Pictures `from` … `to` - 1 of a perturbation, as views of the same data. */
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

interface Request {
  readonly input: Tensor;
  readonly baseline: Tensor;
  readonly perturbation: Perturbation;
  readonly targets: readonly number[];
}

/**
 * Checks that the parts of a request fit the input [channels, height, width], the number of
 * classes, and each other.
 * @throws FoveaError `usage` naming the part that does not fit.
 */
export function checkRequest(
  { input, baseline, perturbation, targets }: Request,
  picture: readonly number[],
  classes: number,
): void {
  const fail = (what: string) => {
    throw new FoveaError('usage', `perturb: ${what}`);
  };
  const [channels = 0, height = 0, width = 0] = picture;
  const is = ({ shape }: Tensor, ...expected: number[]) =>
    shape.length === 4 && expected.every((size, axis) => shape[axis] === size);
  if (!is(input, 1, channels, height, width))
    fail(`the input is ${input.shape.join('×')}, expected 1×${picture.join('×')}`);
  if (!is(baseline, 1, channels, height, width) && !is(baseline, 1, channels, 1, 1)) {
    fail(
      `the baseline is ${baseline.shape.join('×')}, ` +
        `expected 1×${picture.join('×')} or 1×${channels}×1×1`,
    );
  }
  const wrong = targets.find(
    (target) => !(Number.isInteger(target) && target >= 0 && target < classes),
  );
  if (wrong !== undefined)
    fail(`target ${wrong} is not a class: expected an index from 0 to ${classes - 1}`);
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
    const size = p.masks.shape.slice(1).join('×');
    fail(`masks are ${size}, the model's input is ${height}×${width}`);
  }
  if (p.kind === 'ranks' && p.ranks.length !== height * width) {
    fail(`${p.ranks.length} ranks for an input of ${height}×${width} = ${height * width} pixels`);
  }
  if (p.kind === 'segments') {
    const parts = at(p.bits.shape, 1);
    const wrong = p.labels.find((label) => label < 0 || label >= parts);
    if (p.labels.length !== height * width)
      fail(
        `${p.labels.length} labels for an input of ${height}×${width} = ${height * width} pixels`,
      );
    if (wrong !== undefined) fail(`label ${wrong} is not a segment: expected 0 to ${parts - 1}`);
  }
  if (p.kind === 'grids') checkGrids(p, height, width, fail);
}

function checkGrids(p: Grids, height: number, width: number, fail: (what: string) => void): void {
  const [count = 0, gridHeight, gridWidth] = p.grids.shape;
  if (p.rows.shape[1] !== gridHeight || p.columns.shape[1] !== gridWidth)
    fail('the upsampling matrices do not fit the grid');
  if (p.shifts.length !== 2 * count)
    fail(`${count} grids need ${2 * count} shift values, got ${p.shifts.length}`);
  const [rows, columns] = [at(p.rows.shape, 0), at(p.columns.shape, 0)];
  for (let n = 0; n < count; n++) {
    const [dy, dx] = [at(p.shifts, 2 * n), at(p.shifts, 2 * n + 1)];
    if (dy < 0 || dx < 0 || dy + height > rows || dx + width > columns) {
      fail(`shift (${dy}, ${dx}) of grid ${n} leaves the upsampled mask`);
    }
  }
}
