import { describe, expect, it } from 'vitest';
import { sagToDot } from './sag-dot.ts';
import { type DrawableSag, patchBox, shownPart, smallestSet } from './sag-part.ts';
import { drawSag } from './sag-svg.ts';

/** A root with four children, one of which has two. */
const sag: DrawableSag = {
  grid: [2, 2],
  patches: 'hard',
  target: { label: 'cat & "dog"' },
  probability: 0.8,
  formula: 'P0&P1&P2&P3',
  nodes: [
    { id: 0, patches: [0, 1, 2, 3], confidence: 1, root: true },
    { id: 1, patches: [1, 2, 3], confidence: 0.005, root: false },
    { id: 2, patches: [0, 2, 3], confidence: 0.9, root: false },
    { id: 3, patches: [0, 1, 3], confidence: 0.3, root: false },
    { id: 4, patches: [0, 1, 2], confidence: 0.2, root: false },
    { id: 5, patches: [2, 3], confidence: 0.1, root: false },
    { id: 6, patches: [0, 3], confidence: 0.2, root: false },
  ],
  edges: [
    { from: 0, to: 1, removed: 0 },
    { from: 0, to: 2, removed: 1 },
    { from: 0, to: 3, removed: 2 },
    { from: 0, to: 4, removed: 3 },
    { from: 2, to: 5, removed: 0 },
    { from: 2, to: 6, removed: 2 },
    { from: 3, to: 6, removed: 1 },
  ],
};
const thumbnails = new Map(sag.nodes.map(({ id }) => [id, `data:image/png;base64,node${id}`]));

describe('shownPart', () => {
  it('shows the children that cost least, most and in between, up to a number of nodes', () => {
    expect(shownPart(sag).edges.map(({ from, to }) => `${from}-${to}`)).toEqual([
      '0-2',
      '0-4',
      '0-1',
      '2-6',
      '2-5',
    ]);
    expect(shownPart(sag, { maxChildren: 4 }).nodes).toHaveLength(7);
    expect(shownPart(sag, { maxNodes: 3 }).nodes.map(({ id }) => id)).toEqual([0, 2, 4]);
    expect(shownPart(sag, { maxChildren: 1 }).nodes.map(({ id }) => id)).toEqual([0, 2, 6]);
  });
});

describe('patchBox', () => {
  it('is the tile of a hard patch, and what a soft one shows at least half of', () => {
    expect(patchBox({ grid: [2, 4], patches: 'hard' }, 6)).toEqual({
      left: 0.5,
      top: 0.5,
      width: 0.25,
      height: 0.5,
    });
    expect(patchBox({ grid: [3, 3], patches: 'soft' }, 4)).toEqual({
      left: 0.25,
      top: 0.25,
      width: 0.5,
      height: 0.5,
    });
    expect(patchBox({ grid: [3, 3], patches: 'soft' }, 0)).toEqual({
      left: 0,
      top: 0,
      width: 0.25,
      height: 0.25,
    });
  });
});

describe('drawSag', () => {
  const svg = drawSag(sag, { thumbnails, title: 'a<b.jpg', maxChildren: 4 });

  it('shows every node with its thumbnail and confidence, every edge with its patch', () => {
    for (const address of thumbnails.values())
      expect(svg.split(`href="${address}"`)).toHaveLength(2);
    expect([...svg.matchAll(/>−P(\d)</g)].map(([, patch]) => patch).sort()).toEqual([
      '0',
      '0',
      '1',
      '1',
      '2',
      '2',
      '3',
    ]);
    expect(
      [...svg.matchAll(/font-weight="700" fill="#(?:111|fff)"[^>]*>([^<]*)<\/text><\/g>/g)].map(
        ([, label]) => label,
      ),
    ).toEqual(['100%', '&lt;1%', '90%', '30%', '20%', '10%', '20%']);
  });

  it('outlines what was deleted, of a shared child once a parent', () => {
    expect(svg.split('stroke-dasharray')).toHaveLength(1 + sag.edges.length);
  });

  it('puts no node over another, parents above children, all inside the picture', () => {
    const boxes = [
      ...svg.matchAll(
        /<image href="[^"]*node(\d)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g,
      ),
    ].map(([, id, ...numbers]) => ({
      id: Number(id),
      at: numbers.map(Number),
    }));
    const [width, height] = (/viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? [])
      .slice(1)
      .map(Number);
    for (const {
      id,
      at: [x, y, w, h],
    } of boxes) {
      expect(x >= 0 && y >= 0 && x + w <= width && y + h <= height).toBe(true);
      for (const {
        id: other,
        at: [u, v],
      } of boxes)
        if (id !== other) expect(Math.abs(u - x) >= w || Math.abs(v - y) >= h).toBe(true);
    }
    const top = new Map(boxes.map(({ id, at }) => [id, at[1]]));
    for (const { from, to } of sag.edges)
      expect(top.get(to)).toBeGreaterThan(top.get(from) as number);
  });

  it('is well-formed whatever the names are', () => {
    expect(svg).toContain('cat &amp; &quot;dog&quot; (80%) · a&lt;b.jpg');
    expect(svg).not.toMatch(/&(?!amp;|lt;|gt;|quot;|#39;)/);
    const empty = drawSag({ ...sag, nodes: [], edges: [], formula: '' }, { thumbnails: new Map() });
    expect(empty).toContain('no set of patches suffices');
    expect(empty).not.toContain('NaN');
  });
});

describe('smallestSet', () => {
  it('is the smallest of all sets found, which need not be a root', () => {
    expect(smallestSet(sag)).toEqual({ patches: [0, 1, 2, 3], isRoot: true });
    const explanations = [{ patches: [0, 1, 2, 3] }, { patches: [1, 3] }];
    expect(smallestSet({ ...sag, explanations })).toEqual({ patches: [1, 3], isRoot: false });
    expect(smallestSet({ nodes: [] })).toBeUndefined();
  });
});

describe('the key of drawSag', () => {
  const explanations = [{ patches: [1, 3] }, { patches: [0, 1, 2, 3] }];
  const draw = (more: Partial<DrawableSag> = {}) =>
    drawSag({ ...sag, explanations, ...more }, { thumbnails, picture: 'data:,whole' });
  const numbersOf = (svg: string) =>
    [...svg.matchAll(/x="([\d.]+)" y="([\d.]+)"[^>]*font-size="11"[^>]*>(\d+)</g)].map(
      ([, ...values]) => values.map(Number),
    );

  it('shows the whole picture with the number of each patch in its tile', () => {
    const svg = draw();
    const box = /href="data:,whole" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"/.exec(svg);
    const [left, top, side] = (box ?? []).slice(1).map(Number);
    const places = numbersOf(svg).map(([x, y, patch]) => [
      (x - left) / side,
      (y - 4 - top) / side,
      patch,
    ]);
    expect(places).toEqual([
      [0.25, 0.25, 0],
      [0.75, 0.25, 1],
      [0.25, 0.75, 2],
      [0.75, 0.75, 3],
    ]);
  });

  it('keeps the numbers of soft patches inside the picture', () => {
    const svg = draw({ patches: 'soft' });
    const box = /href="data:,whole" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"/.exec(svg);
    const [left, top, side] = (box ?? []).slice(1).map(Number);
    expect(numbersOf(svg)).toHaveLength(4);
    for (const [x, y] of numbersOf(svg)) {
      expect(x > left && x < left + side).toBe(true);
      expect(y > top && y < top + side + 4).toBe(true);
    }
  });

  it('names the smallest set found, and is not there without a picture', () => {
    expect(draw()).toContain('Smallest set found: P1 P3');
    expect(drawSag(sag, { thumbnails })).not.toContain('Patches by number');
  });

  it('is left of all nodes', () => {
    const svg = draw();
    const key = /href="data:,whole" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/.exec(svg);
    const [left, width] = (key ?? []).slice(1).map(Number);
    const nodes = [...svg.matchAll(/href="[^"]*node\d" x="([\d.]+)"/g)].map(([, x]) => Number(x));
    expect(Math.min(...nodes)).toBeGreaterThan(left + width);
  });
});

describe('sagToDot', () => {
  it('names all nodes and edges', () => {
    const dot = sagToDot(sag);
    expect(dot.split('\n').filter((line) => line.includes('->'))).toHaveLength(7);
    expect(dot).toContain('n6 [label="P0 P3\\n20%"];');
    expect(dot).toContain('n3 -> n6 [label="-P1"];');
    expect(dot).toContain('label="cat & \\"dog\\": P0&P1&P2&P3"');
  });
});
