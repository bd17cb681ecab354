import { h } from 'preact';
import { render } from 'preact-render-to-string';

/** A picture of a contact sheet. */
export interface SheetCell {
  /** Address, such as a data URI. */
  readonly source: string;
  readonly title: string;
  /** Whether its frame is green or red; grey if not given. */
  readonly good?: boolean;
}

/** Rows of pictures under a title. */
export interface ContactSheet {
  readonly title: string;
  readonly rows: readonly { readonly title: string; readonly cells: readonly SheetCell[] }[];
  /** Width and height of a picture; 96 each if not given. */
  readonly size?: readonly [width: number, height: number];
}

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
const GAP = 10;
const MARGIN = 20;
const LINE = 16;

/** About the width of bold text: fonts differ, and 0.66 em per character is enough for most. */
const textWidth = (text: string, size: number): number => 0.66 * size * text.length;

/** Pictures in rows, each with a frame and a caption, as an SVG file. */
export function drawContactSheet({
  title,
  rows,
  size: [width, height] = [96, 96],
}: ContactSheet): string {
  const columns = Math.max(1, ...rows.map(({ cells }) => cells.length));
  const rowHeight = LINE + 8 + height + LINE + GAP;
  const titles = [textWidth(title, 17), ...rows.map((row) => textWidth(row.title, 13))];
  const [sheetWidth, sheetHeight] = [
    2 * MARGIN + Math.ceil(Math.max(columns * (width + GAP) - GAP, ...titles)),
    MARGIN + 34 + rows.length * rowHeight + MARGIN,
  ];
  const text = (x: number, y: number, size: number, weight: number, words: string) =>
    h(
      'text',
      { x, y, 'font-size': size, 'font-weight': weight, fill: '#222', 'font-family': FONT },
      words,
    );
  const cell = ({ source, title: caption, good }: SheetCell, x: number, y: number) => {
    const fill = good === undefined ? '#999' : good ? '#1a8f3c' : '#c0261c';
    const frame = { x: x - 3, y: y - 3, width: width + 6, height: height + 6, rx: 3, fill };
    const picture = { href: source, x, y, width, height, preserveAspectRatio: 'none' };
    return [h('rect', frame), h('image', picture), text(x, y + height + LINE, 10, 400, caption)];
  };
  const body = rows.map(({ title: head, cells }, r) => {
    const top = MARGIN + 34 + r * rowHeight;
    return [
      text(MARGIN, top + 12, 13, 700, head),
      ...cells.map((each, c) => cell(each, MARGIN + c * (width + GAP), top + LINE + 8)),
    ];
  });
  const size = {
    viewBox: `0 0 ${sheetWidth} ${sheetHeight}`,
    width: sheetWidth,
    height: sheetHeight,
  };
  const svg = h(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', ...size },
    h('rect', { width: '100%', height: '100%', fill: '#fff' }),
    text(MARGIN, MARGIN + 14, 17, 700, title),
    body,
  );
  return `${render(svg)}\n`;
}
