import { Graph, layout } from '@dagrejs/dagre';
import { extent } from '../tensor/statistics.ts';
import { colormap, colourIndex } from './colormap.ts';
import { escapeHtml } from './report.ts';

/**
 * The parts of a structured attention graph that a picture shows; the `sag` of a manifest's extras
 * fits.
 */
export interface DrawableSag {
  readonly grid: readonly [rows: number, columns: number];
  readonly patches: 'soft' | 'hard';
  readonly target: { readonly label: string };
  readonly probability: number;
  readonly formula: string;
  readonly nodes: readonly {
    readonly id: number;
    readonly patches: readonly number[];
    readonly confidence: number;
    readonly root: boolean;
  }[];
  readonly edges: readonly {
    readonly from: number;
    readonly to: number;
    readonly removed: number;
  }[];
}

/** Options of `drawSag`. */
export interface SagPictureOptions {
  /**
   * Address of the thumbnail of each node (a data URI, so that the file stands alone), by node id.
   */
  readonly thumbnails: ReadonlyMap<number, string>;
  /** Width over height of the thumbnails; 1 if not given. */
  readonly aspect?: number;
  /** Name of the picture, for the caption. */
  readonly title?: string;
  /** Most children of a node; 3 if not given: the ones that cost least, most and in between. */
  readonly maxChildren?: number;
  /** Most nodes in all; 40 if not given. */
  readonly maxNodes?: number;
}

/** Width of a thumbnail; its longer side where it is no square. */
const SIDE = 128;
const LABEL = 26;
const MARGIN = 24;
const HEAD = 74;
const FONT =
  "font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif\"";

const fixed = (value: number): string => String(Math.round(10 * value) / 10);
const percent = (share: number): string =>
  share > 0 && share < 0.01 ? '<1%' : `${Math.round(100 * share)}%`;

/** At most `count` items, evenly spread from the first to the last. */
function spread<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  if (count < 2) return items.slice(0, count);
  return Array.from(
    { length: count },
    (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))],
  );
}

/** The nodes and edges that are drawn: of large graphs a part that still reads, level by level. */
export function shownPart(
  sag: DrawableSag,
  { maxChildren = 3, maxNodes = 40 }: Pick<SagPictureOptions, 'maxChildren' | 'maxNodes'> = {},
) {
  const shown = new Set(sag.nodes.filter(({ root }) => root).map(({ id }) => id));
  const edges: DrawableSag['edges'][number][] = [];
  for (let level = [...shown]; level.length > 0; ) {
    const next: number[] = [];
    for (const id of level) {
      const children = sag.edges
        .filter(({ from }) => from === id)
        .sort((a, b) => sag.nodes[b.to].confidence - sag.nodes[a.to].confidence || a.to - b.to);
      for (const edge of spread(children, maxChildren)) {
        if (!shown.has(edge.to) && shown.size >= maxNodes) continue;
        if (!shown.has(edge.to)) next.push(edge.to);
        shown.add(edge.to);
        edges.push(edge);
      }
    }
    level = next;
  }
  return { nodes: sag.nodes.filter(({ id }) => shown.has(id)), edges };
}

/**
 * Where a patch lies, as shares of width and height: its tile, or of a soft bump what it shows at
 * least half of.
 */
export function patchBox(
  { grid: [rows, columns], patches }: Pick<DrawableSag, 'grid' | 'patches'>,
  patch: number,
) {
  const span = (i: number, count: number): [number, number] => {
    if (patches === 'hard' || count === 1) return [i / count, (i + 1) / count];
    return [Math.max(0, (i - 0.5) / (count - 1)), Math.min(1, (i + 0.5) / (count - 1))];
  };
  const [top, bottom] = span(Math.floor(patch / columns), rows);
  const [left, right] = span(patch % columns, columns);
  return { left, top, width: right - left, height: bottom - top };
}

const COLOURS = 'viridis';

/**
 * Relative luminance of a color, 0 … 1, as WCAG defines it: dark text has more contrast than white
 * above 0.18.
 */
function luminance(...rgb: number[]): number {
  const [r, g, b] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** The colour of a confidence, and that of text upon it. */
function colourOf(confidence: number): { fill: string; ink: string } {
  const { table } = colormap(COLOURS);
  const at = 3 * colourIndex(colormap(COLOURS), Math.min(1, confidence));
  const [r, g, b] = table.subarray(at, at + 3);
  return {
    fill: `rgb(${r},${g},${b})`,
    ink: luminance(r, g, b) > 0.18 ? '#111' : '#fff',
  };
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function rectOf(
  sag: DrawableSag,
  patch: number,
  { x, y, width, height }: Box,
  style: string,
): string {
  const box = patchBox(sag, patch);
  const at = [
    x + box.left * width,
    y + box.top * height,
    box.width * width,
    box.height * height,
  ].map(fixed);
  return `<rect x="${at[0]}" y="${at[1]}" width="${at[2]}" height="${at[3]}" ${style}/>`;
}

/** A thumbnail with the patches just deleted outlined, and the confidence below it. */
function nodeSvg(
  sag: DrawableSag,
  node: DrawableSag['nodes'][number],
  box: Box,
  removed: readonly number[],
  thumbnail: string | undefined,
): string {
  const { fill, ink } = colourOf(node.confidence);
  const { x, y, width, height } = box;
  const picture: Box = { x, y, width, height: height - LABEL };
  const text = node.patches.map((patch) => `P${patch}`).join(' ');
  const frame = `<rect x="${fixed(x - 3)}" y="${fixed(y - 3)}" width="${fixed(width + 6)}" height="${fixed(height + 6)}" rx="6" fill="${fill}"${node.root ? ' stroke="#111" stroke-width="2.5"' : ''}/>`;
  const image = thumbnail
    ? `<image href="${thumbnail}" x="${fixed(x)}" y="${fixed(y)}" width="${fixed(width)}" height="${fixed(picture.height)}" preserveAspectRatio="none"/>`
    : `<rect x="${fixed(x)}" y="${fixed(y)}" width="${fixed(width)}" height="${fixed(picture.height)}" fill="#222"/>`;
  const kept = node.patches
    .map((patch) =>
      rectOf(
        sag,
        patch,
        picture,
        'fill="none" stroke="#fff" stroke-opacity="0.55" stroke-width="1"',
      ),
    )
    .join('');
  const outlines = removed
    .map(
      (patch) =>
        rectOf(sag, patch, picture, 'fill="none" stroke="#000" stroke-width="4"') +
        rectOf(
          sag,
          patch,
          picture,
          'fill="none" stroke="#ff3b30" stroke-width="2" stroke-dasharray="5 2"',
        ),
    )
    .join('');
  const label = `<text x="${fixed(x + width / 2)}" y="${fixed(y + height - 7)}" text-anchor="middle" font-size="16" font-weight="700" fill="${ink}" ${FONT}>${escapeHtml(percent(node.confidence))}</text>`;
  return `<g><title>${escapeHtml(`${text}: ${percent(node.confidence)} of the confidence in the whole picture`)}</title>${frame}${image}${kept}${outlines}${label}</g>\n`;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Down from one point to the next: leaves and arrives upright. */
function curve(from: Point, to: Point): string {
  const middle = (from.y + to.y) / 2;
  return `C${[from.x, middle, to.x, middle, to.x, to.y].map(fixed).join(' ')}`;
}

/**
 * A line from below a node, past the places kept free for it between others, to above a node; what
 * was deleted is written on it.
 */
function edgeSvg(points: readonly Point[], removed: number, drop: number): string {
  const line = `M${fixed(points[0].x)} ${fixed(points[0].y)}${points
    .slice(1)
    .map((point, i) => curve(points[i], point))
    .join('')}`;
  const [before, last] = points.slice(-2);
  // A little beyond the middle, so that labels keep apart where lines of one parent part, where
  // lines meet in one child, and where two lines cross. A cubic that leaves and arrives upright has
  // gone 0.7 of its width at 0.6 of its height.
  const at = { x: before.x + 0.7 * (last.x - before.x), y: before.y + 0.6 * (last.y - before.y) };
  const style = `stroke="${drop > 0.3 ? '#c0261c' : '#8a8f98'}" stroke-width="${fixed(1.2 + 4 * Math.min(1, Math.max(0, drop)))}"`;
  const label = `<text x="${fixed(at.x)}" y="${fixed(at.y + 4)}" text-anchor="middle" font-size="12" font-weight="600" fill="#333" stroke="#fff" stroke-width="4" stroke-linejoin="round" paint-order="stroke" ${FONT}>−P${removed}</text>`;
  return `<path d="${line}" fill="none" ${style} stroke-linecap="round"/>${label}\n`;
}

function legendSvg(x: number, y: number): string {
  const stops = Array.from(
    { length: 9 },
    (_, i) => `<stop offset="${fixed(12.5 * i)}%" stop-color="${colourOf(i / 8).fill}"/>`,
  ).join('');
  const bar = `<defs><linearGradient id="confidence">${stops}</linearGradient></defs><rect x="${fixed(x)}" y="${fixed(y)}" width="150" height="10" rx="2" fill="url(#confidence)"/>`;
  const text = (at: number, anchor: string, words: string) =>
    `<text x="${fixed(at)}" y="${fixed(y + 24)}" text-anchor="${anchor}" font-size="11" fill="#444" ${FONT}>${words}</text>`;
  return `${bar}${text(x, 'start', '0%')}${text(x + 75, 'middle', 'confidence')}${text(x + 150, 'end', '100%')}`;
}

/** Places nodes in layers, roots first, with few crossings (Sugiyama's method, by dagre). */
function place({ nodes, edges }: ReturnType<typeof shownPart>, width: number, height: number) {
  const graph = new Graph({ multigraph: false });
  graph.setGraph({ rankdir: 'TB', nodesep: 22, ranksep: 58, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of nodes) graph.setNode(String(id), { width, height });
  for (const { from, to } of edges) graph.setEdge(String(from), String(to));
  layout(graph);
  return graph;
}

/** Words broken to lines of at most `length` characters, at spaces; at most two lines. */
function twoLines(text: string, length: number): string[] {
  if (text.length <= length) return [text];
  const cut = text.lastIndexOf(' ', length);
  const [first, second] = [
    text.slice(0, cut > 0 ? cut : length),
    text.slice(cut > 0 ? cut + 1 : length),
  ];
  return [first, second.length > length ? `${second.slice(0, length - 1)}…` : second];
}

function headSvg(sag: DrawableSag, title: string | undefined, width: number): string {
  const text = (y: number, size: number, weight: number, fill: string, words: string) =>
    `<text x="${MARGIN}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${fill}" ${FONT}>${escapeHtml(words)}</text>`;
  const about = `${sag.target.label} (${percent(sag.probability)})${title ? ` · ${title}` : ''}`;
  const formula = twoLines(
    sag.formula || 'no set of patches suffices',
    Math.max(20, Math.floor((width - 2 * MARGIN - 180) / 7)),
  );
  return `${text(34, 18, 700, '#111', about)}${formula.map((line, i) => text(56 + 17 * i, 13, 400, '#444', line)).join('')}${legendSvg(width - MARGIN - 150, 22)}`;
}

/**
 * A structured attention graph as an SVG file: roots above, what is left with each patch deleted
 * below. A node shows its patches, the patch it has just lost outlined, and its confidence: the
 * probability over that of the whole picture. Lines are thick, and red, where a deletion costs
 * much. Runs in Node and browsers.
 */
export function drawSag(sag: DrawableSag, options: SagPictureOptions): string {
  const { thumbnails, aspect = 1, title } = options;
  const part = shownPart(sag, options);
  const [w, h] = aspect >= 1 ? [SIDE, SIDE / aspect] : [SIDE * aspect, SIDE];
  const graph = place(part, w + 6, h + LABEL + 6);
  const [, right] = extent([
    0,
    ...part.nodes.map(({ id }) => graph.node(String(id)).x + w / 2 + 6),
  ]);
  const [, bottom] = extent([
    0,
    ...part.nodes.map(({ id }) => graph.node(String(id)).y + (h + LABEL) / 2 + 6),
  ]);
  const width = Math.max(560, right + 2 * MARGIN);
  const height = HEAD + bottom + 2 * MARGIN;
  const shift = { x: Math.max(MARGIN, (width - right) / 2), y: HEAD + MARGIN };
  const at = (id: number, side: number): Point => {
    const { x, y } = graph.node(String(id));
    return { x: x + shift.x, y: y + shift.y + side * ((h + LABEL) / 2 + 3) };
  };
  const edges = part.edges.map(({ from, to, removed }) => {
    // Of a line over several layers, dagre keeps a place free in each layer between.
    const free = [...(graph.edge(String(from), String(to)).points ?? [])]
      .slice(1, -1)
      .map(({ x, y }) => ({ x: x + shift.x, y: y + shift.y }));
    const [start, end] = [at(from, 1), at(to, -1)];
    const between = free.filter(({ y }) => y > start.y + 30 && y < end.y - 30);
    return edgeSvg(
      [start, ...between, end],
      removed,
      sag.nodes[from].confidence - sag.nodes[to].confidence,
    );
  });
  const nodes = part.nodes.map((node) => {
    const { x, y } = graph.node(String(node.id));
    const box = {
      x: x - w / 2 + shift.x,
      y: y - (h + LABEL) / 2 + shift.y,
      width: w,
      height: h + LABEL,
    };
    const removed = part.edges.filter(({ to }) => to === node.id).map((edge) => edge.removed);
    return nodeSvg(sag, node, box, removed, thumbnails.get(node.id));
  });
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${fixed(width)} ${fixed(height)}" width="${fixed(width)}" height="${fixed(height)}" role="img">`;
  const name = `<title>${escapeHtml(`Structured attention graph of ${sag.target.label}: ${sag.formula}`)}</title>`;
  return `${head}${name}<rect width="100%" height="100%" fill="#fff"/>\n${headSvg(sag, title, width)}\n${edges.join('')}${nodes.join('')}</svg>\n`;
}
