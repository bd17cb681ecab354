import { h, type JSX } from 'preact';
import type { Tensor } from '../tensor/tensor.ts';
import { colormap, colourIndex } from './colormap.ts';
import { shadesOf } from './overlay.ts';
import { cutText, picture as drawPicture, rect, svgFile, text } from './svg.ts';

/** What the color bar of an annotated picture shows: the colors, and words for their ends. */
export interface ColorBar {
  /** Name of a color map. */
  readonly colormap: string;
  /** The part of the color map that is used, 0 … 1 from its start to its end. */
  readonly range: readonly [from: number, to: number];
  readonly low: string;
  /** Word for the middle, if it means something. */
  readonly middle?: string;
  readonly high: string;
}

/** A map and the facts of its explanation that a color bar depends on; an `Explanation` fits. */
export interface BarSource {
  readonly map: Tensor;
  readonly signed: boolean;
  readonly target: { readonly against?: readonly unknown[] };
}

/**
 * The color bar of a map as `overlay` draws the map.
 * @param name - the color map that `overlay` was given, if any
 */
export function colorBarOf({ map, signed, target }: BarSource, name?: string): ColorBar {
  const { colours, hasTwoSides } = shadesOf(map, signed, name);
  const isContrast = (target.against ?? []).length > 0;
  const other = isContrast ? 'for the other class' : 'against the class';
  if (!hasTwoSides) {
    const range = colours.diverging ? ([0.5, 1] as const) : ([0, 1] as const);
    return { colormap: colours.name, range, low: 'least salient', high: 'most salient' };
  }
  return colours.diverging
    ? { colormap: colours.name, range: [0, 1], low: other, middle: '0', high: 'for the class' }
    : { colormap: colours.name, range: [0, 1], low: `0, or ${other}`, high: 'for the class' };
}

/** A picture with what is written around it. */
export interface AnnotatedPicture {
  /** Address of the picture, such as a data URI. */
  readonly source: string;
  /** Size of the picture in pixels. */
  readonly width: number;
  readonly height: number;
  /** First line above the picture, such as the class with its probability. */
  readonly title: string;
  /** Second line above the picture, such as method, model and file. */
  readonly detail: string;
  /** The color bar below the picture; none if left out. */
  readonly bar?: ColorBar;
}

/** Least width of the drawing, so that a title has room above a small picture. */
const LEAST_WIDTH = 320;
const STOPS = 33;

/** The color bar with its words below it; `unit` is the height of a line of text. */
function barSvg(bar: ColorBar, x: number, y: number, width: number, unit: number): JSX.Element[] {
  const colours = colormap(bar.colormap);
  const [from, to] = bar.range;
  const stops = Array.from({ length: STOPS }, (_, i) => {
    const share = i / (STOPS - 1);
    const position = from + share * (to - from);
    const start = 3 * colourIndex(colours, colours.diverging ? 2 * position - 1 : position);
    const [r, g, b] = colours.table.subarray(start, start + 3);
    return h('stop', { offset: `${100 * share}%`, 'stop-color': `rgb(${r},${g},${b})` });
  });
  const size = 0.72 * unit;
  const word = (left: number, anchor: 'start' | 'middle' | 'end', words: string) =>
    text(left, y + 1.35 * unit, words, { size, anchor, fill: '#333' });
  return [
    h('defs', {}, h('linearGradient', { id: 'colors' }, stops)),
    rect({ x, y, width, height: 0.5 * unit }, { fill: 'url(#colors)' }),
    word(x, 'start', bar.low),
    ...(bar.middle === undefined ? [] : [word(x + width / 2, 'middle', bar.middle)]),
    word(x + width, 'end', bar.high),
  ];
}

/**
 * A picture at its own size with two lines of text above it and its color bar below it, as an SVG
 * file. The text grows with the picture, so that it can be read when a large picture is shown
 * smaller. Runs in Node and browsers.
 */
export function annotate({ source, width, height, title, detail, bar }: AnnotatedPicture): string {
  const whole = Math.max(LEAST_WIDTH, width);
  const unit = Math.max(18, Math.round(whole / 28));
  const margin = Math.round(0.5 * unit);
  const inner = whole - 2 * margin;
  const top = Math.round(2.8 * unit);
  const left = Math.round((whole - width) / 2);
  const below = bar ? Math.round(2.4 * unit) : margin;
  return svgFile(`${title}: ${detail}`, whole, top + height + below, [
    text(margin, unit, cutText(title, 0.85 * unit, inner), {
      size: 0.9 * unit,
      weight: 700,
      fill: '#111',
    }),
    text(margin, 2.15 * unit, cutText(detail, 0.7 * unit, inner), { size: 0.72 * unit }),
    drawPicture(source, { x: left, y: top, width, height }),
    ...(bar ? barSvg(bar, margin, top + height + 0.5 * unit, inner, unit) : []),
  ]);
}
