import { cssGradient } from './colormap.ts';
import { element, escapeHtml, type Markup } from './markup.ts';
import { REPORT_STYLE } from './report-style.ts';

/**
 * A cell of a table: text, or a number with the digits it is shown with, and what stands below in
 * small.
 */
export type ReportValue =
  | string
  | { readonly value: number; readonly text: string; readonly detail?: string };

/** A table with its first column as row heads. */
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
  /** What the picture shows, for readers who do not see it. */
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

/** A colour bar. */
export interface ReportLegend {
  readonly colormap: string;
  readonly title: string;
  readonly low: string;
  readonly middle?: string;
  readonly high: string;
}

/** A chart, and what its lines are. */
export interface ReportChart {
  readonly title: string;
  /** An `svg` element; it is put into the page as it is. */
  readonly svg: string;
  readonly legend: readonly {
    readonly text: string;
    readonly colour: string;
    readonly dash: string;
  }[];
}

/** A part of the page; what is given is shown in this order. */
export interface ReportSection {
  readonly title: string;
  readonly text?: readonly string[];
  readonly list?: readonly string[];
  readonly table?: ReportTable;
  readonly tables?: readonly ReportTable[];
  readonly charts?: readonly ReportChart[];
  readonly legends?: readonly ReportLegend[];
  readonly gallery?: ReportGallery;
  /** A drawing, as an address of an SVG or picture. */
  readonly drawing?: { readonly source: string; readonly alt: string };
  /** Long text in blocks that open on a click. */
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

const list = <Item>(items: readonly Item[] | undefined, html: (item: Item) => string): string =>
  (items ?? []).map(html).join('');
const optional = <Item>(item: Item | undefined, html: (item: Item) => string): string =>
  item === undefined ? '' : html(item);
const textOf = (value: ReportValue): string => (typeof value === 'string' ? value : value.text);

/** The number that a column's best cells have; undefined where nothing stands out. */
function bestOf(table: ReportTable, column: number): number | undefined {
  const { best } = table.columns[column];
  const numbers = table.rows.flatMap((row, i) =>
    typeof row[column] === 'string' || table.neverBest?.includes(i) ? [] : [row[column].value],
  );
  if (!best || new Set(numbers).size < 2) return undefined;
  return best === 'highest' ? Math.max(...numbers) : Math.min(...numbers);
}

function tableHtml(table: ReportTable): string {
  const best = table.columns.map((_, column) => bestOf(table, column));
  const isNumber = table.columns.map((_, column) =>
    table.rows.some((row) => typeof row[column] !== 'string'),
  );
  const head = table.columns
    .map(
      ({ title }, i) =>
        `<th scope="col"${isNumber[i] ? ' class="number"' : ''}>${escapeHtml(title)}</th>`,
    )
    .join('');
  const cell = (value: ReportValue, column: number, isRanked: boolean): string => {
    const detail =
      typeof value === 'string'
        ? ''
        : optional(value.detail, (text) => `<small>${escapeHtml(text)}</small>`);
    if (column === 0) return `<th scope="row">${escapeHtml(textOf(value))}${detail}</th>`;
    const isBest = isRanked && typeof value !== 'string' && value.value === best[column];
    // The mark stands before the number, so that the digits of a column stay aligned.
    const classes = [isNumber[column] && 'number', isBest && 'best'].filter(Boolean).join(' ');
    const text = `${isBest ? '● ' : ''}${escapeHtml(textOf(value))}`;
    return `<td${classes && ` class="${classes}"`}>${text}${detail}</td>`;
  };
  const rows = table.rows
    .map((row, i) => {
      const isRanked = !table.neverBest?.includes(i);
      return `<tr>${row.map((value, column) => cell(value, column, isRanked)).join('')}</tr>\n`;
    })
    .join('');
  const note = optional(table.note, (text) => `<p class="note">${escapeHtml(text)}</p>`);
  const caption = escapeHtml(table.caption);
  return [
    `<div class="scroll" tabindex="0" role="region" aria-label="${caption}">`,
    `<table><caption>${caption}</caption><thead><tr>${head}</tr></thead>`,
    `<tbody>${rows}</tbody></table></div>${note}\n`,
  ].join('');
}

function legendHtml({ colormap, title, low, middle, high }: ReportLegend): string {
  const ends = [low, ...(middle === undefined ? [] : [middle]), high]
    .map((text) => `<span>${escapeHtml(text)}</span>`)
    .join('');
  const bar = `<div class="bar" style="background:${cssGradient(colormap)}"></div>`;
  const caption = `<figcaption>${escapeHtml(title)}</figcaption>`;
  return `<figure>${caption}${bar}<div class="ends">${ends}</div></figure>\n`;
}

/** A short piece of a line, for a legend. */
const swatch = (stroke: string, dash: string): Markup =>
  element(
    'svg',
    { viewBox: '0 0 24 8', 'aria-hidden': 'true' },
    element('line', {
      ...{ x1: 0, x2: 24, y1: 4, y2: 4, stroke },
      'stroke-width': 2.5,
      'stroke-dasharray': dash || undefined,
    }),
  );

function chartHtml({ title, svg, legend }: ReportChart): string {
  const entry = ({ text, colour, dash }: ReportChart['legend'][number]) =>
    element('li', {}, swatch(colour, dash), text).html;
  const caption = `<figcaption>${escapeHtml(title)}</figcaption>`;
  return `<figure class="chart">${caption}${svg}<ul>${list(legend, entry)}</ul></figure>\n`;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;

function cellHtml({ source, alt, title, detail, mark, peak }: ReportCell): string {
  const ring = optional(
    peak,
    ({ x, y }) => `<span class="peak" style="left:${percent(x)};top:${percent(y)}"></span>`,
  );
  const verdict = optional(
    mark,
    ({ text, kind }) => `<span class="mark ${kind}">${escapeHtml(text)}</span>`,
  );
  const small = verdict || detail ? `<small>${verdict}${escapeHtml(detail ?? '')}</small>` : '';
  const picture = element('img', { src: source, alt, width: 224, height: 224 }).html;
  const caption = `<figcaption><b>${escapeHtml(title)}</b>${small}</figcaption>`;
  return `<figure class="cell"><div class="picture">${picture}${ring}</div>${caption}</figure>\n`;
}

function galleryHtml({ rows }: ReportGallery): string {
  return list(rows, ({ title, detail, cells }) => {
    const more = optional(detail, (text) => ` <span>${escapeHtml(text)}</span>`);
    const head = `<h3>${escapeHtml(title)}${more}</h3>`;
    const open = `<div class="cells" style="--columns:${cells.length}">`;
    return `<div class="row">${head}${open}\n${list(cells, cellHtml)}</div></div>\n`;
  });
}

function sectionHtml(section: ReportSection): string {
  return [
    `<section>\n<h2>${escapeHtml(section.title)}</h2>\n`,
    list(section.text, (text) => `<p>${escapeHtml(text)}</p>\n`),
    optional(
      section.list,
      (items) => `<ul>${list(items, (text) => `<li>${escapeHtml(text)}</li>`)}</ul>\n`,
    ),
    optional(section.table, tableHtml),
    list(section.tables, tableHtml),
    optional(
      section.charts,
      (charts) => `<div class="charts">\n${list(charts, chartHtml)}</div>\n`,
    ),
    optional(
      section.legends,
      (legends) => `<div class="legend">\n${list(legends, legendHtml)}</div>\n`,
    ),
    optional(section.gallery, galleryHtml),
    optional(
      section.drawing,
      ({ source, alt }) =>
        `<img class="drawing" src="${escapeHtml(source)}" alt="${escapeHtml(alt)}">\n`,
    ),
    list(
      section.details,
      ({ title, text }) =>
        `${element('details', {}, element('summary', {}, title), element('pre', {}, text)).html}\n`,
    ),
    '</section>\n',
  ].join('');
}

/** The retina from the front: the fovea is the spot one sees sharply with. */
const MARK =
  '<svg viewBox="0 0 32 32" aria-hidden="true"><g fill="none" stroke="currentColor">' +
  '<circle cx="16" cy="16" r="14" stroke-width="1.5" opacity=".35"/>' +
  '<circle cx="16" cy="16" r="9" stroke-width="2" opacity=".65"/></g>' +
  '<circle cx="16" cy="16" r="4.2" fill="currentColor"/></svg>';

/** A page of results as one HTML document that needs no other file and no network. */
export function reportHtml({ title, lead, facts, sections, footer }: ReportPage): string {
  const fact = ([name, value]: readonly [string, string]): Markup =>
    element('div', {}, element('dt', {}, name), element('dd', {}, value));
  const factList =
    facts && facts.length > 0 ? element('dl', { class: 'facts' }, facts.map(fact)).html : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<div class="page">
<header>
<div class="brand">${MARK}<span>Fovea</span></div>
<h1>${escapeHtml(title)}</h1>
<p class="lead">${escapeHtml(lead)}</p>
${factList}
</header>
<main>
${list(sections, sectionHtml)}</main>
${optional(footer, (text) => `<footer>${escapeHtml(text)}</footer>`)}
</div>
</body>
</html>
`;
}
