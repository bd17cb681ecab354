import type { Random } from '../../tensor/random.ts';

/** A rectangle of pixels; bottom and right are exclusive. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** Number of pixels of a box. */
export const areaOf = ({ top, left, bottom, right }: Box): number =>
  (bottom - top) * (right - left);

/** Whether a side of a box is longer than `minSide`, so that the box can be split. */
export const canSplit = ({ top, left, bottom, right }: Box, minSide: number): boolean =>
  bottom - top > minSide || right - left > minSide;

/** The ranges on both sides of a random cut, or the whole range if it is too short to be cut. */
function cut(from: number, to: number, minSide: number, random: Random): [number, number][] {
  if (to - from <= minSide) return [[from, to]];
  const middle = from + 1 + random.integer(to - from - 1);
  return [
    [from, middle],
    [middle, to],
  ];
}

/**
 * Cuts a box at a random row and a random column, uniform inside the box, into 4 boxes. A side of
 * at most `minSide` pixels is not cut, so there can be 2 boxes.
 */
export function splitBox(box: Box, minSide: number, random: Random): Box[] {
  const rows = cut(box.top, box.bottom, minSide, random);
  const columns = cut(box.left, box.right, minSide, random);
  return rows.flatMap(([top, bottom]) =>
    columns.map(([left, right]): Box => ({ top, left, bottom, right })),
  );
}

/** Calls `visit` with the index of each pixel of a box, in a picture of `width` columns. */
export function eachPixel(box: Box, width: number, visit: (pixel: number) => void): void {
  for (let y = box.top; y < box.bottom; y++)
    for (let x = box.left; x < box.right; x++) visit(y * width + x);
}

/**
 * The segment of each pixel, [height · width]: 0 outside all boxes, 1 in the boxes of `context`,
 * and 2 + i in box i of `parts`.
 */
export function segmentsOf(
  context: readonly Box[],
  parts: readonly Box[],
  height: number,
  width: number,
): Int32Array {
  const labels = new Int32Array(height * width);
  const paint = (box: Box, label: number) =>
    eachPixel(box, width, (pixel) => {
      labels[pixel] = label;
    });
  for (const box of context) paint(box, 1);
  parts.forEach((box, i) => {
    paint(box, 2 + i);
  });
  return labels;
}
