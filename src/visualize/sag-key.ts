import { h, type JSX } from 'preact';
import { type DrawableSag, patchBox, smallestSet } from './sag-part.ts';
import { type Box, picture, rect, text, wrapWords } from './svg.ts';

/** Least side of a numbered cell, so that its number can be read. */
const LEAST_CELL = 26;
const LEAST_WIDTH = 232;
const LINE = 17;

/** The numbered picture of a graph: which part of the picture each patch is. */
export interface SagKey {
  readonly width: number;
  readonly height: number;
  /** Draws it with its upper left corner at a point. */
  draw(x: number, y: number): JSX.Element;
}

/** The cell of a patch: its tile, or around the middle of a soft patch the nearest points. */
function cellOf({ grid }: DrawableSag, patch: number): ReturnType<typeof patchBox> {
  return patchBox({ grid, patches: 'hard' }, patch);
}

/** The middle of a patch, as shares of width and height. */
function middleOf(sag: DrawableSag, patch: number): { readonly x: number; readonly y: number } {
  const [rows, columns] = sag.grid;
  const { left, top, width, height } = cellOf(sag, patch);
  if (sag.patches === 'hard') return { x: left + width / 2, y: top + height / 2 };
  // The bumps of soft patches have their middles on a grid with aligned corners.
  const share = (i: number, count: number) => (count === 1 ? 0.5 : i / (count - 1));
  return { x: share(patch % columns, columns), y: share(Math.floor(patch / columns), rows) };
}

/**
 * The whole picture with the number of each patch, and below it the smallest set found. The numbers
 * of soft patches stand at the middles of their bumps, those of hard ones in their tiles.
 * @param source - address of the whole picture, such as a data URI
 * @param aspect - width over height of the picture
 */
export function sagKey(sag: DrawableSag, source: string, aspect: number): SagKey {
  const [rows, columns] = sag.grid;
  const width = Math.max(LEAST_WIDTH, LEAST_CELL * columns, LEAST_CELL * rows * aspect);
  const height = width / aspect;
  const smallest = smallestSet(sag);
  const words = smallest
    ? `Smallest set found: ${smallest.patches.map((patch) => `P${patch}`).join(' ')}`
    : '';
  const lines = words === '' ? [] : wrapWords(words, 12, width);
  return {
    width,
    height: height + 2 * LINE + LINE * lines.length,
    draw(x, y) {
      const box: Box = { x, y: y + LINE, width, height };
      return h(
        'g',
        {},
        text(x, y + 8, 'Patches by number', { size: 12, weight: 700, fill: '#333' }),
        picture(source, box),
        Array.from({ length: rows * columns }, (_, patch) => [
          cellRect(sag, patch, box),
          number(sag, patch, box, smallest?.patches.includes(patch) === true),
        ]),
        lines.map((line, i) =>
          text(x, y + height + LINE * (i + 2.2), line, { size: 12, fill: '#333' }),
        ),
      );
    },
  };
}

/** The border of a hard patch's tile; soft patches overlap and have none. */
function cellRect(sag: DrawableSag, patch: number, box: Box): JSX.Element | undefined {
  if (sag.patches === 'soft') return undefined;
  const { left, top, width, height } = cellOf(sag, patch);
  const place = { x: box.x + left * box.width, y: box.y + top * box.height };
  return rect(
    { ...place, width: width * box.width, height: height * box.height },
    { fill: 'none', stroke: '#fff', 'stroke-opacity': 0.7, 'stroke-width': 1 },
  );
}

/** The number of a patch at its middle, drawn inside the picture. */
function number(sag: DrawableSag, patch: number, box: Box, isBold: boolean): JSX.Element {
  const { x, y } = middleOf(sag, patch);
  const inside = (share: number, length: number, rim: number) =>
    Math.min(length - rim, Math.max(rim, share * length));
  return text(
    box.x + inside(x, box.width, 9),
    box.y + inside(y, box.height, 8) + 4,
    String(patch),
    {
      size: 11,
      weight: isBold ? 800 : 500,
      fill: isBold ? '#b3121d' : '#111',
      anchor: 'middle',
      halo: true,
    },
  );
}
