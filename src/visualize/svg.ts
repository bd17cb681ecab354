import { type ComponentChildren, h, type JSX } from 'preact';
import { render } from 'preact-render-to-string';

/** The fonts of all drawings: those of the system, with DejaVu Sans on Linux. */
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

/** A rectangle in the units of the drawing. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** A number with one digit after the point. */
export const fixed = (value: number): string => String(Math.round(10 * value) / 10);

/** The rectangle of a box. */
export const rect = ({ x, y, width, height }: Box, style: Attributes): JSX.Element =>
  h('rect', { x: fixed(x), y: fixed(y), width: fixed(width), height: fixed(height), ...style });

/** A picture from an address, stretched to a box. */
export const picture = (href: string, { x, y, width, height }: Box): JSX.Element =>
  h('image', {
    href,
    x: fixed(x),
    y: fixed(y),
    width: fixed(width),
    height: fixed(height),
    preserveAspectRatio: 'none',
  });

/** How a line of text looks; `anchor` is `start` if not given. */
interface TextStyle {
  readonly size: number;
  readonly weight?: number;
  readonly fill?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly halo?: boolean;
}

/** A white border that keeps text readable on a line or a picture. */
const HALO = {
  stroke: '#fff',
  'stroke-width': 4,
  'stroke-linejoin': 'round',
  'paint-order': 'stroke',
};

/** A line of text whose baseline starts (or has its middle, or ends) at a point. */
export const text = (x: number, y: number, words: string, style: TextStyle): JSX.Element =>
  h(
    'text',
    {
      x: fixed(x),
      y: fixed(y),
      'text-anchor': style.anchor ?? 'start',
      'font-size': style.size,
      'font-weight': style.weight ?? 400,
      fill: style.fill ?? '#444',
      'font-family': FONT,
      ...(style.halo && HALO),
    },
    words,
  );

/**
 * The width of a text at most, in units: fonts differ, and 0.66 em per character is enough for
 * most.
 */
export const textWidth = (words: string, size: number): number => 0.66 * size * words.length;

/** A text without its end, if it is wider than `width`. */
export function cutText(words: string, size: number, width: number): string {
  const most = Math.max(4, Math.floor(width / (0.66 * size)));
  return words.length <= most ? words : `${words.slice(0, most - 1)}…`;
}

/** A text as lines that are not wider than `width`; it is broken at spaces. */
export function wrapWords(words: string, size: number, width: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(' ')) {
    const last = lines.at(-1);
    const joined = last === undefined ? word : `${last} ${word}`;
    if (last !== undefined && textWidth(joined, size) <= width) lines[lines.length - 1] = joined;
    else lines.push(word);
  }
  return lines;
}

/** An SVG file on white ground. `name` is its title, for readers who do not see it. */
export function svgFile(
  name: string,
  width: number,
  height: number,
  drawn: ComponentChildren,
): string {
  const size = { width: fixed(width), height: fixed(height) };
  const svg = h(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${size.width} ${size.height}`,
      ...size,
      role: 'img',
    },
    h('title', {}, name),
    h('rect', { width: '100%', height: '100%', fill: '#fff' }),
    drawn,
  );
  return `${render(svg)}\n`;
}
