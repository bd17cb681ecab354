import { Graph, layout } from '@dagrejs/dagre';
import { type ComponentChildren, h, type JSX } from 'preact';
import { render } from 'preact-render-to-string';
import { at } from '../tensor/at.ts';
import { extent } from '../tensor/statistics.ts';
import { colormap, colourIndex } from './colormap.ts';
import { type DrawableSag, patchBox, type SagPictureOptions, shownPart } from './sag-part.ts';

/** Width of a thumbnail; its longer side if it is not a square. */
const SIDE = 128;
const LABEL = 26;
const MARGIN = 24;
const HEAD = 74;
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

const fixed = (value: number): string => String(Math.round(10 * value) / 10);
const percent = (share: number): string =>
  share > 0 && share < 0.01 ? '<1%' : `${Math.round(100 * share)}%`;

const COLOURS = 'viridis';

/**
 * Relative luminance of a color, 0 … 1, as WCAG defines it: dark text has more contrast than white
 * above 0.18.
 */
function luminance(red: number, green: number, blue: number): number {
  const linear = (value: number): number => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

/** The colour of a confidence, and that of text upon it. */
function colourOf(confidence: number): { fill: string; ink: string } {
  const { table } = colormap(COLOURS);
  const start = 3 * colourIndex(colormap(COLOURS), Math.min(1, confidence));
  const [r = 0, g = 0, b = 0] = table.subarray(start, start + 3);
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

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** The rectangle of a box, in the drawing's units. */
const rect = ({ x, y, width, height }: Box, style: Attributes): JSX.Element =>
  h('rect', {
    x: fixed(x),
    y: fixed(y),
    width: fixed(width),
    height: fixed(height),
    ...style,
  });

/** The rectangle of a patch within the thumbnail `box`. */
function patchRect(sag: DrawableSag, patch: number, box: Box, style: Attributes): JSX.Element {
  const { left, top, width, height } = patchBox(sag, patch);
  const place = { x: box.x + left * box.width, y: box.y + top * box.height };
  return rect({ ...place, width: width * box.width, height: height * box.height }, style);
}

const KEPT = { fill: 'none', stroke: '#fff', 'stroke-opacity': 0.55, 'stroke-width': 1 };
const RIM = { fill: 'none', stroke: '#000', 'stroke-width': 4 };
const DASHES = {
  fill: 'none',
  stroke: '#ff3b30',
  'stroke-width': 2,
  'stroke-dasharray': '5 2',
};

/** A thumbnail with the patches just deleted outlined, and the confidence below it. */
function nodeSvg(
  sag: DrawableSag,
  node: DrawableSag['nodes'][number],
  box: Box,
  removed: readonly number[],
  thumbnail: string | undefined,
): JSX.Element {
  const { fill, ink } = colourOf(node.confidence);
  const { x, y, width, height } = box;
  const picture: Box = { x, y, width, height: height - LABEL };
  const names = node.patches.map((patch) => `P${patch}`).join(' ');
  const root = { stroke: '#111', 'stroke-width': 2.5 };
  const frame = { x: x - 3, y: y - 3, width: width + 6, height: height + 6 };
  const about = `${names}: ${percent(node.confidence)} of the confidence in the whole picture`;
  const place = { x: fixed(x), y: fixed(y), width: fixed(width), height: fixed(picture.height) };
  return h(
    'g',
    {},
    h('title', {}, about),
    rect(frame, { rx: 6, fill, ...(node.root && root) }),
    thumbnail
      ? h('image', { href: thumbnail, ...place, preserveAspectRatio: 'none' })
      : rect(picture, { fill: '#222' }),
    node.patches.map((patch) => patchRect(sag, patch, picture, KEPT)),
    removed.map((patch) => [RIM, DASHES].map((style) => patchRect(sag, patch, picture, style))),
    h(
      'text',
      {
        x: fixed(x + width / 2),
        y: fixed(y + height - 7),
        'text-anchor': 'middle',
        'font-size': 16,
        'font-weight': 700,
        fill: ink,
        'font-family': FONT,
      },
      percent(node.confidence),
    ),
  );
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
function edgeSvg(points: readonly Point[], removed: number, drop: number): JSX.Element[] {
  const first = at(points, 0);
  const [before, last] = [at(points, points.length - 2), at(points, points.length - 1)];
  const line = `M${fixed(first.x)} ${fixed(first.y)}${points
    .slice(1)
    .map((point, i) => curve(at(points, i), point))
    .join('')}`;
  // A little beyond the middle, so that labels keep apart where lines of one parent part, where
  // lines meet in one child, and where two lines cross. A cubic that leaves and arrives upright has
  // gone 0.7 of its width at 0.6 of its height.
  const label = {
    x: before.x + 0.7 * (last.x - before.x),
    y: before.y + 0.6 * (last.y - before.y),
  };
  return [
    h('path', {
      d: line,
      fill: 'none',
      stroke: drop > 0.3 ? '#c0261c' : '#8a8f98',
      'stroke-width': fixed(1.2 + 4 * Math.min(1, Math.max(0, drop))),
      'stroke-linecap': 'round',
    }),
    h(
      'text',
      {
        x: fixed(label.x),
        y: fixed(label.y + 4),
        'text-anchor': 'middle',
        'font-size': 12,
        'font-weight': 600,
        fill: '#333',
        'font-family': FONT,
        ...HALO,
      },
      `−P${removed}`,
    ),
  ];
}

/** A white border that keeps text readable on a line. */
const HALO = {
  stroke: '#fff',
  'stroke-width': 4,
  'stroke-linejoin': 'round',
  'paint-order': 'stroke',
};

function legendSvg(x: number, y: number): JSX.Element[] {
  const stops = Array.from({ length: 9 }, (_, i) =>
    h('stop', { offset: `${fixed(12.5 * i)}%`, 'stop-color': colourOf(i / 8).fill }),
  );
  const text = (left: number, anchor: string, words: string) =>
    h(
      'text',
      {
        x: fixed(left),
        y: fixed(y + 24),
        'text-anchor': anchor,
        'font-size': 11,
        fill: '#444',
        'font-family': FONT,
      },
      words,
    );
  return [
    h('defs', {}, h('linearGradient', { id: 'confidence' }, stops)),
    rect({ x, y, width: 150, height: 10 }, { rx: 2, fill: 'url(#confidence)' }),
    text(x, 'start', '0%'),
    text(x + 75, 'middle', 'confidence'),
    text(x + 150, 'end', '100%'),
  ];
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

function headSvg(sag: DrawableSag, title: string | undefined, width: number): JSX.Element[] {
  const text = (y: number, size: number, weight: number, fill: string, words: string) =>
    h(
      'text',
      { x: MARGIN, y, 'font-size': size, 'font-weight': weight, fill, 'font-family': FONT },
      words,
    );
  const about = `${sag.target.label} (${percent(sag.probability)})${title ? ` · ${title}` : ''}`;
  const formula = twoLines(
    sag.formula || 'no set of patches suffices',
    Math.max(20, Math.floor((width - 2 * MARGIN - 180) / 7)),
  );
  return [
    text(34, 18, 700, '#111', about),
    ...formula.map((line, i) => text(56 + 17 * i, 13, 400, '#444', line)),
    ...legendSvg(width - MARGIN - 150, 22),
  ];
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
  const [sideX, sideY] = aspect >= 1 ? [SIDE, SIDE / aspect] : [SIDE * aspect, SIDE];
  const graph = place(part, sideX + 6, sideY + LABEL + 6);
  const [, right] = extent([
    0,
    ...part.nodes.map(({ id }) => graph.node(String(id)).x + sideX / 2 + 6),
  ]);
  const [, bottom] = extent([
    0,
    ...part.nodes.map(({ id }) => graph.node(String(id)).y + (sideY + LABEL) / 2 + 6),
  ]);
  const width = Math.max(560, right + 2 * MARGIN);
  const height = HEAD + bottom + 2 * MARGIN;
  const shift = { x: Math.max(MARGIN, (width - right) / 2), y: HEAD + MARGIN };
  const endOf = (id: number, side: number): Point => {
    const { x, y } = graph.node(String(id));
    return { x: x + shift.x, y: y + shift.y + side * ((sideY + LABEL) / 2 + 3) };
  };
  const edge = ({ from, to, removed }: DrawableSag['edges'][number]) => {
    // Of a line over several layers, dagre keeps a place free in each layer between.
    const free = [...(graph.edge(String(from), String(to)).points ?? [])]
      .slice(1, -1)
      .map(({ x, y }) => ({ x: x + shift.x, y: y + shift.y }));
    const [start, end] = [endOf(from, 1), endOf(to, -1)];
    const between = free.filter(({ y }) => y > start.y + 30 && y < end.y - 30);
    return edgeSvg(
      [start, ...between, end],
      removed,
      at(sag.nodes, from).confidence - at(sag.nodes, to).confidence,
    );
  };
  const node = (each: DrawableSag['nodes'][number]) => {
    const { x, y } = graph.node(String(each.id));
    const box = {
      x: x - sideX / 2 + shift.x,
      y: y - (sideY + LABEL) / 2 + shift.y,
      width: sideX,
      height: sideY + LABEL,
    };
    const removed = part.edges
      .filter(({ to }) => to === each.id)
      .map(({ removed: patch }) => patch);
    return nodeSvg(sag, each, box, removed, thumbnails.get(each.id));
  };
  const drawn = [headSvg(sag, title, width), part.edges.map(edge), part.nodes.map(node)];
  const name = `Structured attention graph of ${sag.target.label}: ${sag.formula}`;
  return svgFile(name, fixed(width), fixed(height), drawn);
}

/** An SVG file on white ground. */
function svgFile(name: string, width: string, height: string, drawn: ComponentChildren): string {
  const size = { viewBox: `0 0 ${width} ${height}`, width, height };
  const svg = h(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', ...size, role: 'img' },
    h('title', {}, name),
    h('rect', { width: '100%', height: '100%', fill: '#fff' }),
    drawn,
  );
  return `${render(svg)}\n`;
}
