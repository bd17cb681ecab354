import { h, type JSX } from 'preact';
import { type Box, cutText, picture, rect, svgFile, text, textWidth, wrapWords } from './svg.ts';

/** A picture of a contact sheet. */
export interface SheetCell {
  /** Address, such as a data URI. */
  readonly source: string;
  /** First line of the caption. */
  readonly title: string;
  /** Second line of the caption. */
  readonly detail?: string;
  /** Whether its frame is green or red; grey if not given. */
  readonly good?: boolean;
}

/** A row of pictures below a title. */
export interface SheetRow {
  readonly title: string;
  readonly cells: readonly SheetCell[];
}

/** Rows of pictures, each below its title. */
export interface ContactSheet {
  readonly title: string;
  readonly rows: readonly SheetRow[];
  /** Paragraphs below the rows, such as a legend. */
  readonly notes?: readonly string[];
  /** Width and height of a picture; 96 each if not given. */
  readonly size?: readonly [width: number, height: number];
}

const GAP = 10;
const MARGIN = 20;
const LINE = 16;
const HEAD = 34;
const INK = '#222';
const CAPTION = { size: 10, fill: INK };
const NOTE = { size: 12, fill: '#444' };

/** One cell: a frame, the picture, and its caption. */
function cellSvg({ source, title, detail, good }: SheetCell, box: Box): JSX.Element[] {
  const { x, y, width, height } = box;
  const fill = good === undefined ? '#999' : good ? '#1a8f3c' : '#c0261c';
  const captions = [title, ...(detail === undefined ? [] : [detail])];
  return [
    rect({ x: x - 3, y: y - 3, width: width + 6, height: height + 6 }, { rx: 3, fill }),
    picture(source, box),
    ...captions.map((line, i) =>
      text(x, y + height + LINE + 12 * i, cutText(line, 0.85 * CAPTION.size, width), CAPTION),
    ),
  ];
}

/** Pictures in rows, each with a frame and a caption, as an SVG file. */
export function drawContactSheet({
  title,
  rows,
  notes = [],
  size: [width, height] = [96, 96],
}: ContactSheet): string {
  const columns = Math.max(1, ...rows.map(({ cells }) => cells.length));
  const titles = [textWidth(title, 17), ...rows.map((row) => textWidth(row.title, 13))];
  const inner = Math.ceil(Math.max(columns * (width + GAP) - GAP, ...titles));
  const drawn: JSX.Element[] = [
    text(MARGIN, MARGIN + 14, title, { size: 17, weight: 700, fill: INK }),
  ];
  let top = MARGIN + HEAD;
  for (const { title: head, cells } of rows) {
    drawn.push(text(MARGIN, top + 12, head, { size: 13, weight: 700, fill: INK }));
    const y = top + LINE + 8;
    for (const [i, cell] of cells.entries())
      drawn.push(h('g', {}, cellSvg(cell, { x: MARGIN + i * (width + GAP), y, width, height })));
    const hasDetails = cells.some(({ detail }) => detail !== undefined);
    top = y + height + LINE + (hasDetails ? 12 : 0) + GAP;
  }
  for (const note of notes) {
    for (const line of wrapWords(note, 0.85 * NOTE.size, inner)) {
      drawn.push(text(MARGIN, top + 14, line, NOTE));
      top += LINE;
    }
  }
  return svgFile(title, 2 * MARGIN + inner, top + MARGIN, drawn);
}
