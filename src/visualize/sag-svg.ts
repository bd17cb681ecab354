import { Graph, layout } from '@dagrejs/dagre';
import { h, type JSX } from 'preact';
import { at } from '../tensor/at.ts';
import { extent } from '../tensor/statistics.ts';
import { colormap, colourIndex } from './colormap.ts';
import { sagKey } from './sag-key.ts';
import { type DrawableSag, patchBox, type SagPictureOptions, shownPart } from './sag-part.ts';
import { type Box, fixed, picture as image, rect, svgFile, text } from './svg.ts';

/** Width of a thumbnail; its longer side if it is not a square. */
const SIDE = 128;
const LABEL = 26;
const MARGIN = 24;
const HEAD = 74;
const percent = (share: number): string =>
  share > 0 && share < 0.01 ? '<1%' : `${Math.round(100 * share)}%`;

const COLOURS = 'viridis';

/**
 * Relative luminance of a color, 0 … 1, as WCAG defines it. Above 0.18, dark text has more contrast
 * than white text.
 */
function luminance(red: number, green: number, blue: number): number {
  const linear = (value: number): number => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

/** The color of a confidence, and the color of text on it. */
function colourOf(confidence: number): { fill: string; ink: string } {
  const { table } = colormap(COLOURS);
  const start = 3 * colourIndex(colormap(COLOURS), Math.min(1, confidence));
  const [r = 0, g = 0, b = 0] = table.subarray(start, start + 3);
  return {
    fill: `rgb(${r},${g},${b})`,
    ink: luminance(r, g, b) > 0.18 ? '#111' : '#fff',
  };
}

/** The rectangle of a patch within the thumbnail `box`. */
function patchRect(
  sag: DrawableSag,
  patch: number,
  box: Box,
  style: Record<string, string | number>,
): JSX.Element {
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

/** A thumbnail with outlines of the deleted patches, and the confidence below it. */
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
  return h(
    'g',
    {},
    h('title', {}, about),
    rect(frame, { rx: 6, fill, ...(node.root && root) }),
    thumbnail ? image(thumbnail, picture) : rect(picture, { fill: '#222' }),
    node.patches.map((patch) => patchRect(sag, patch, picture, KEPT)),
    removed.map((patch) => [RIM, DASHES].map((style) => patchRect(sag, patch, picture, style))),
    text(x + width / 2, y + height - 7, percent(node.confidence), {
      size: 16,
      weight: 700,
      fill: ink,
      anchor: 'middle',
    }),
  );
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A curve down from one point to the next; both ends are vertical. */
function curve(from: Point, to: Point): string {
  const middle = (from.y + to.y) / 2;
  return `C${[from.x, middle, to.x, middle, to.x, to.y].map(fixed).join(' ')}`;
}

/**
 * A line from below a node, through the free places between other nodes, to above a node. The
 * deleted patch is written on it.
 */
function edgeSvg(points: readonly Point[], removed: number, drop: number): JSX.Element[] {
  const first = at(points, 0);
  const [before, last] = [at(points, points.length - 2), at(points, points.length - 1)];
  const line = `M${fixed(first.x)} ${fixed(first.y)}${points
    .slice(1)
    .map((point, i) => curve(at(points, i), point))
    .join('')}`;
  // The label is a little beyond the middle, so that labels do not touch at parents, at children,
  // or where two lines cross. A cubic with vertical ends is at 0.7 of its width at 0.6 of its
  // height.
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
    text(label.x, label.y + 4, `−P${removed}`, {
      size: 12,
      weight: 600,
      fill: '#333',
      anchor: 'middle',
      halo: true,
    }),
  ];
}

function legendSvg(x: number, y: number): JSX.Element[] {
  const stops = Array.from({ length: 9 }, (_, i) =>
    h('stop', { offset: `${fixed(12.5 * i)}%`, 'stop-color': colourOf(i / 8).fill }),
  );
  const label = (left: number, anchor: 'start' | 'middle' | 'end', words: string) =>
    text(left, y + 24, words, { size: 11, anchor });
  return [
    h('defs', {}, h('linearGradient', { id: 'confidence' }, stops)),
    rect({ x, y, width: 150, height: 10 }, { rx: 2, fill: 'url(#confidence)' }),
    label(x, 'start', '0%'),
    label(x + 75, 'middle', 'confidence'),
    label(x + 150, 'end', '100%'),
  ];
}

/** Places nodes in layers with few crossings, roots first (Sugiyama's method, by dagre). */
function place({ nodes, edges }: ReturnType<typeof shownPart>, width: number, height: number) {
  const graph = new Graph({ multigraph: false });
  graph.setGraph({ rankdir: 'TB', nodesep: 22, ranksep: 58, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of nodes) graph.setNode(String(id), { width, height });
  for (const { from, to } of edges) graph.setEdge(String(from), String(to));
  layout(graph);
  return graph;
}

/** Breaks a text at spaces into at most two lines of at most `length` characters. */
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
  const about = `${sag.target.label} (${percent(sag.probability)})${title ? ` · ${title}` : ''}`;
  const formula = twoLines(
    sag.formula || 'no set of patches suffices',
    Math.max(20, Math.floor((width - 2 * MARGIN - 180) / 7)),
  );
  return [
    text(MARGIN, 34, about, { size: 18, weight: 700, fill: '#111' }),
    ...formula.map((line, i) => text(MARGIN, 56 + 17 * i, line, { size: 13 })),
    ...legendSvg(width - MARGIN - 150, 22),
  ];
}

/** The right and the lower end of the nodes, from the upper left corner of the graph. */
function sizeOf(
  graph: ReturnType<typeof place>,
  { nodes }: ReturnType<typeof shownPart>,
  node: { readonly width: number; readonly height: number },
): { readonly right: number; readonly bottom: number } {
  const places = nodes.map(({ id }) => graph.node(String(id)));
  const [, right] = extent([0, ...places.map(({ x }) => x + node.width / 2 + 6)]);
  const [, bottom] = extent([0, ...places.map(({ y }) => y + node.height / 2 + 6)]);
  return { right, bottom };
}

/**
 * A structured attention graph as an SVG file. The roots are above. Below each node are the nodes
 * with one patch deleted. A node shows its patches, the patch it has just lost outlined, and its
 * confidence: the probability divided by that of the whole picture. Lines are thick, and red, if a
 * deletion costs much. With `picture`, the whole picture with the number of each patch stands on
 * the left. Runs in Node and browsers.
 */
export function drawSag(sag: DrawableSag, options: SagPictureOptions): string {
  const { thumbnails, aspect = 1, title } = options;
  const part = shownPart(sag, options);
  const [sideX, sideY] = aspect >= 1 ? [SIDE, SIDE / aspect] : [SIDE * aspect, SIDE];
  const size = { width: sideX, height: sideY + LABEL };
  const graph = place(part, size.width + 6, size.height + 6);
  const { right, bottom } = sizeOf(graph, part, size);
  const key = options.picture === undefined ? undefined : sagKey(sag, options.picture, aspect);
  const left = key ? key.width + 2 * MARGIN : 0;
  const width = Math.max(560, left + right + 2 * MARGIN);
  const height = HEAD + Math.max(bottom, key?.height ?? 0) + 2 * MARGIN;
  const shift = { x: left + Math.max(MARGIN, (width - left - right) / 2), y: HEAD + MARGIN };
  const endOf = (id: number, side: number): Point => {
    const { x, y } = graph.node(String(id));
    return { x: x + shift.x, y: y + shift.y + side * (size.height / 2 + 3) };
  };
  const edge = ({ from, to, removed }: DrawableSag['edges'][number]) => {
    // If a line crosses several layers, dagre keeps a place free for it in each layer between.
    const free = [...(graph.edge(String(from), String(to)).points ?? [])]
      .slice(1, -1)
      .map(({ x, y }) => ({ x: x + shift.x, y: y + shift.y }));
    const [start, end] = [endOf(from, 1), endOf(to, -1)];
    const between = free.filter(({ y }) => y > start.y + 30 && y < end.y - 30);
    const drop = at(sag.nodes, from).confidence - at(sag.nodes, to).confidence;
    return edgeSvg([start, ...between, end], removed, drop);
  };
  const node = (each: DrawableSag['nodes'][number]) => {
    const { x, y } = graph.node(String(each.id));
    const corner = { x: x - size.width / 2 + shift.x, y: y - size.height / 2 + shift.y };
    const removed = part.edges
      .filter(({ to }) => to === each.id)
      .map(({ removed: patch }) => patch);
    return nodeSvg(sag, each, { ...corner, ...size }, removed, thumbnails.get(each.id));
  };
  return svgFile(
    `Structured attention graph of ${sag.target.label}: ${sag.formula}`,
    width,
    height,
    [
      headSvg(sag, title, width),
      key?.draw(MARGIN, HEAD + MARGIN),
      part.edges.map(edge),
      part.nodes.map(node),
    ],
  );
}
