import { type ComponentChildren, h, type JSX } from 'preact';
import { render } from 'preact-render-to-string';
import { at } from '../tensor/at.ts';
import { cssGradient } from './colormap.ts';
import { type LineChart, lineChart } from './line-chart.ts';
import { REPORT_STYLE } from './report-style.ts';

/** A cell of a table: text, or a number with its text form and an optional small text below it. */
export type ReportValue =
  | string
  | { readonly value: number; readonly text: string; readonly detail?: string };

/** A table. Its first column has the heads of the rows. */
export interface ReportTable {
  readonly caption: string;
  /** `best`: the highest or lowest number of the column is marked. */
  readonly columns: readonly { readonly title: string; readonly best?: 'highest' | 'lowest' }[];
  readonly rows: readonly (readonly ReportValue[])[];
  /** Indices of rows that are never marked as best: controls. */
  readonly neverBest?: readonly number[];
  readonly note?: string;
}

/** A picture of a gallery. */
export interface ReportCell {
  /** A data URI, so that the page needs no other file. */
  readonly source: string;
  /** A description for readers who cannot see the picture. */
  readonly alt: string;
  readonly title: string;
  readonly detail?: string;
  /** A verdict before the detail. */
  readonly mark?: { readonly text: string; readonly kind: 'good' | 'bad' | 'plain' };
  /** A ring at this place, as shares of width and height. */
  readonly peak?: { readonly x: number; readonly y: number };
}

/** Rows of pictures; cells of one column stand below each other. */
export interface ReportGallery {
  readonly rows: readonly {
    readonly title: string;
    readonly detail?: string;
    readonly cells: readonly ReportCell[];
  }[];
}

/** A color bar with its words. */
export interface ReportLegend {
  readonly colormap: string;
  readonly title: string;
  readonly low: string;
  readonly middle?: string;
  readonly high: string;
}

/** A chart with the names of its lines. */
export interface ReportChart {
  readonly title: string;
  readonly chart: LineChart;
  readonly legend: readonly {
    readonly text: string;
    readonly colour: string;
    readonly dash: string;
  }[];
}

/** A section of the page. Its parts are shown in this order. */
export interface ReportSection {
  readonly title: string;
  readonly text?: readonly string[];
  readonly list?: readonly string[];
  readonly table?: ReportTable;
  readonly tables?: readonly ReportTable[];
  readonly charts?: readonly ReportChart[];
  readonly legends?: readonly ReportLegend[];
  readonly gallery?: ReportGallery;
  /** A drawing: the address of an SVG or another picture. */
  readonly drawing?: { readonly source: string; readonly alt: string };
  /** Long texts in blocks that a click opens. */
  readonly details?: readonly { readonly title: string; readonly text: string }[];
}

/** A page of results. */
export interface ReportPage {
  readonly title: string;
  readonly lead: string;
  readonly facts?: readonly (readonly [name: string, value: string])[];
  readonly sections: readonly ReportSection[];
  readonly footer?: string;
}

/** The element of an item; undefined if there is no item. */
const optional = <Item>(
  item: Item | undefined,
  view: (item: Item) => ComponentChildren,
): ComponentChildren => (item === undefined ? undefined : view(item));
const textOf = (value: ReportValue): string => (typeof value === 'string' ? value : value.text);

/** The number of the best cells of a column; undefined if there is no best number. */
function bestOf(table: ReportTable, column: number): number | undefined {
  const { best } = at(table.columns, column);
  const numbers = table.rows.flatMap((row, i) => {
    const cell = at(row, column);
    return typeof cell === 'string' || table.neverBest?.includes(i) ? [] : [cell.value];
  });
  if (!best || new Set(numbers).size < 2) return undefined;
  return best === 'highest' ? Math.max(...numbers) : Math.min(...numbers);
}

function tableView(table: ReportTable): JSX.Element[] {
  const best = table.columns.map((_, column) => bestOf(table, column));
  const isNumber = table.columns.map((_, column) =>
    table.rows.some((row) => typeof row[column] !== 'string'),
  );
  const head = table.columns.map(({ title }, i) =>
    h('th', { scope: 'col', class: isNumber[i] ? 'number' : undefined }, title),
  );
  const cell = (value: ReportValue, column: number, isRanked: boolean): JSX.Element => {
    const detail =
      typeof value === 'string'
        ? undefined
        : optional(value.detail, (text) => h('small', {}, text));
    if (column === 0) return h('th', { scope: 'row' }, textOf(value), detail);
    const isBest = isRanked && typeof value !== 'string' && value.value === best[column];
    const classes = [isNumber[column] && 'number', isBest && 'best'].filter(Boolean).join(' ');
    // The mark is before the number, so that the digits of a column stay aligned.
    return h('td', { class: classes || undefined }, isBest && '● ', textOf(value), detail);
  };
  const rows = table.rows.map((row, i) => {
    const isRanked = !table.neverBest?.includes(i);
    return h(
      'tr',
      {},
      row.map((value, column) => cell(value, column, isRanked)),
    );
  });
  const { caption, note } = table;
  const scroll = { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption } as const;
  const parts = [h('caption', {}, caption), h('thead', {}, h('tr', {}, head))];
  return [
    h('div', scroll, h('table', {}, parts, h('tbody', {}, rows))),
    ...(note === undefined ? [] : [h('p', { class: 'note' }, note)]),
  ];
}

function legendView({ colormap, title, low, middle, high }: ReportLegend): JSX.Element {
  const ends = [low, ...(middle === undefined ? [] : [middle]), high];
  return h(
    'figure',
    {},
    h('figcaption', {}, title),
    h('div', { class: 'bar', style: `background:${cssGradient(colormap)}` }),
    h(
      'div',
      { class: 'ends' },
      ends.map((text) => h('span', {}, text)),
    ),
  );
}

/** A short piece of a line, for a legend. */
const swatch = (stroke: string, dash: string): JSX.Element =>
  h(
    'svg',
    { viewBox: '0 0 24 8', 'aria-hidden': 'true' },
    h('line', {
      ...{ x1: 0, x2: 24, y1: 4, y2: 4, stroke },
      'stroke-width': 2.5,
      'stroke-dasharray': dash || undefined,
    }),
  );

function chartView({ title, chart, legend }: ReportChart): JSX.Element {
  const entries = legend.map(({ text, colour, dash }) => h('li', {}, swatch(colour, dash), text));
  return h(
    'figure',
    { class: 'chart' },
    h('figcaption', {}, title),
    lineChart(chart),
    h('ul', {}, entries),
  );
}

const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;

function cellView({ source, alt, title, detail, mark, peak }: ReportCell): JSX.Element {
  const verdict = optional(mark, ({ text, kind }) => h('span', { class: `mark ${kind}` }, text));
  const ring = optional(peak, ({ x, y }) =>
    h('span', { class: 'peak', style: `left:${percent(x)};top:${percent(y)}` }),
  );
  return h(
    'figure',
    { class: 'cell' },
    h('div', { class: 'picture' }, h('img', { src: source, alt, width: 224, height: 224 }), ring),
    h('figcaption', {}, h('b', {}, title), (mark || detail) && h('small', {}, verdict, detail)),
  );
}

function galleryView({ rows }: ReportGallery): JSX.Element[] {
  return rows.map(({ title, detail, cells }) => {
    const more = optional(detail, (text) => [' ', h('span', {}, text)]);
    const style = `--columns:${cells.length}`;
    const row = h('div', { class: 'cells', style }, cells.map(cellView));
    return h('div', { class: 'row' }, h('h3', {}, title, more), row);
  });
}

function sectionView(section: ReportSection): JSX.Element {
  const { title, text, list, table, tables, charts, legends, gallery, drawing, details } = section;
  return h(
    'section',
    {},
    h('h2', {}, title),
    text?.map((paragraph) => h('p', {}, paragraph)),
    optional(list, (items) =>
      h(
        'ul',
        {},
        items.map((item) => h('li', {}, item)),
      ),
    ),
    optional(table, tableView),
    tables?.map(tableView),
    optional(charts, (all) => h('div', { class: 'charts' }, all.map(chartView))),
    optional(legends, (all) => h('div', { class: 'legend' }, all.map(legendView))),
    optional(gallery, galleryView),
    optional(drawing, ({ source, alt }) => h('img', { class: 'drawing', src: source, alt })),
    details?.map((block) =>
      h('details', {}, h('summary', {}, block.title), h('pre', {}, block.text)),
    ),
  );
}

/** The logo: a retina from the front, with the fovea in its middle. */
function markView(): JSX.Element {
  const ring = (r: number, width: number, opacity: number) =>
    h('circle', { cx: 16, cy: 16, r, 'stroke-width': width, opacity });
  return h(
    'svg',
    { viewBox: '0 0 32 32', 'aria-hidden': 'true' },
    h('g', { fill: 'none', stroke: 'currentColor' }, ring(14, 1.5, 0.35), ring(9, 2, 0.65)),
    h('circle', { cx: 16, cy: 16, r: 4.2, fill: 'currentColor' }),
  );
}

function headView(title: string): JSX.Element {
  return h(
    'head',
    {},
    h('meta', { charset: 'utf-8' }),
    h('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
    h('title', {}, title),
    h('style', { dangerouslySetInnerHTML: { __html: REPORT_STYLE } }),
  );
}

function headerView({ title, lead, facts = [] }: ReportPage): JSX.Element {
  const list = facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)));
  return h(
    'header',
    {},
    h('div', { class: 'brand' }, markView(), h('span', {}, 'Fovea')),
    h('h1', {}, title),
    h('p', { class: 'lead' }, lead),
    list.length > 0 && h('dl', { class: 'facts' }, list),
  );
}

/** A page of results as one HTML document that needs no other file and no network. */
export function reportHtml(page: ReportPage): string {
  const { title, sections, footer } = page;
  const body = [
    headerView(page),
    h('main', {}, sections.map(sectionView)),
    optional(footer, (text) => h('footer', {}, text)),
  ];
  const html = h(
    'html',
    { lang: 'en' },
    headView(title),
    h('body', {}, h('div', { class: 'page' }, body)),
  );
  return `<!doctype html>\n${render(html)}\n`;
}
