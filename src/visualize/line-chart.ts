import { type ScaleLinear, scaleLinear } from 'd3-scale';
import { schemeTableau10 } from 'd3-scale-chromatic';
import { line } from 'd3-shape';
import { h, type JSX } from 'preact';
import { render } from 'preact-render-to-string';
import { at } from '../tensor/at.ts';

/** One line of a chart: points (x, y), x rising. */
export interface ChartSeries {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly style: SeriesStyle;
}

/** A line chart. */
export interface LineChart {
  /** A description for readers who cannot see the chart. */
  readonly alt: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly series: readonly ChartSeries[];
}

/** How a series is drawn. */
export interface SeriesStyle {
  readonly colour: string;
  /** `stroke-dasharray`; empty for a solid line. */
  readonly dash: string;
}

type Scale = ScaleLinear<number, number>;

const SIZE = { width: 460, height: 300, left: 56, right: 20, top: 14, bottom: 42 };
const DASHES = ['', '6 3', '2 3'];
const CONTROL_DASHES = ['5 4', '1.5 3.5'];

/**
 * Different styles for series, in their order: ten colors, then the same colors dashed. Controls
 * are grey.
 */
export function seriesStyles(isControls: readonly boolean[]): SeriesStyle[] {
  let [shown, controls] = [0, 0];
  return isControls.map((isControl) => {
    if (isControl)
      return { colour: '#8a8590', dash: at(CONTROL_DASHES, controls++ % CONTROL_DASHES.length) };
    const style = {
      colour: at(schemeTableau10, shown % 10),
      dash: at(DASHES, Math.floor(shown / 10) % DASHES.length),
    };
    shown += 1;
    return style;
  });
}

/** The lowest and highest of the values of all series; 0 and 1 if there are none. */
function extent(
  series: readonly ChartSeries[],
  of: (each: ChartSeries) => readonly number[],
): [number, number] {
  const values = series.flatMap((each) => [...of(each)]);
  if (values.length === 0) return [0, 1];
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}

/** A line chart as an element that fits its container; its text has the color of the page. */
export function lineChart({ alt, xTitle, yTitle, series }: LineChart): JSX.Element {
  const { width, height, left, right, top, bottom } = SIZE;
  const [low, high] = extent(series, ({ y }) => y);
  const x = scaleLinear()
    .domain(extent(series, (each) => each.x))
    .range([left, width - right]);
  const y = scaleLinear(
    [Math.min(0, low), high > low ? high : low + 1],
    [height - bottom, top],
  ).nice();
  const number = (value: number) => value.toFixed(2);
  const middle = { x: (left + width - right) / 2, y: (top + height - bottom) / 2 };
  const grid = y.ticks(5).map((value) => {
    const level = number(y(value));
    const across = { x1: left, x2: width - right, y1: level, y2: level };
    return [
      h('line', { ...across, stroke: 'currentColor', 'stroke-opacity': '.14' }),
      h(
        'text',
        { x: left - 7, y: level, dy: '.32em', 'text-anchor': 'end' },
        y.tickFormat(5)(value),
      ),
    ];
  });
  const ticks = x
    .ticks(5)
    .map((value) =>
      h(
        'text',
        { x: number(x(value)), y: height - bottom + 17, 'text-anchor': 'middle' },
        x.tickFormat(5, '~%')(value),
      ),
    );
  const horizontal = { x: middle.x, y: height - 6, 'text-anchor': 'middle' };
  const vertical = { transform: `translate(11 ${middle.y}) rotate(-90)`, 'text-anchor': 'middle' };
  const page = { 'font-size': 12, fill: 'currentColor' };
  return h(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': alt, ...page },
    grid,
    ticks,
    h('text', horizontal, xTitle),
    h('text', vertical, yTitle),
    series.map((each) => pathOf(each, x, y)).reverse(),
  );
}

/** A line chart as the text of an SVG element (see `lineChart`). */
export const lineChartSvg = (chart: LineChart): string => render(lineChart(chart));

/** The line of a series, with its name as tooltip. */
function pathOf({ name, style, ...points }: ChartSeries, x: Scale, y: Scale): JSX.Element {
  const path = line<number>(
    (_, k) => x(at(points.x, k)),
    (value) => y(value),
  ).digits(2);
  return h(
    'g',
    {},
    h('title', {}, name),
    h('path', {
      d: path([...points.y]) ?? '',
      fill: 'none',
      stroke: style.colour,
      'stroke-width': 2,
      'stroke-dasharray': style.dash || undefined,
      'stroke-linejoin': 'round',
    }),
  );
}
