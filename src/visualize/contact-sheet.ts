import { escapeHtml } from './report.ts';

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

const FONT =
  "font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif\"";
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
  const [w, h] = [
    2 * MARGIN + Math.ceil(Math.max(columns * (width + GAP) - GAP, ...titles)),
    MARGIN + 34 + rows.length * rowHeight + MARGIN,
  ];
  const text = (x: number, y: number, px: number, weight: number, words: string) =>
    `<text x="${x}" y="${y}" font-size="${px}" font-weight="${weight}" fill="#222" ${FONT}>${escapeHtml(words)}</text>`;
  const cell = ({ source, title: caption, good }: SheetCell, x: number, y: number): string => {
    const frame = good === undefined ? '#999' : good ? '#1a8f3c' : '#c0261c';
    return `<rect x="${x - 3}" y="${y - 3}" width="${width + 6}" height="${height + 6}" rx="3" fill="${frame}"/><image href="${source}" x="${x}" y="${y}" width="${width}" height="${height}" preserveAspectRatio="none"/>${text(x, y + height + LINE, 10, 400, caption)}`;
  };
  const body = rows.map(({ title: head, cells }, r) => {
    const top = MARGIN + 34 + r * rowHeight;
    return `${text(MARGIN, top + 12, 13, 700, head)}${cells.map((each, c) => cell(each, MARGIN + c * (width + GAP), top + LINE + 8)).join('')}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}"><rect width="100%" height="100%" fill="#fff"/>${text(MARGIN, MARGIN + 14, 17, 700, title)}${body.join('\n')}</svg>\n`;
}
