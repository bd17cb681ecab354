import { createScene } from '../../src/demo/scenes.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import type { Sag } from '../../src/methods/sag/schema.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';

/** A generated scene with a teapot. */
export const scene = createScene(await loadSprites(), 6, { className: 'teapot' });

interface Bump {
  /** Its middle and its standard deviation, as shares of the side. */
  readonly x: number;
  readonly y: number;
  readonly sigma: number;
  readonly height: number;
}

/** A map [side, side] that is a sum of Gaussian bumps, so that it needs no model. */
export function bumps(list: readonly Bump[], side = 224): Tensor {
  return tensor(
    [side, side],
    Float32Array.from({ length: side * side }, (_, i) => {
      const [u, v] = [((i % side) + 0.5) / side, (Math.floor(i / side) + 0.5) / side];
      return list.reduce(
        (sum, { x, y, sigma, height }) =>
          sum + height * Math.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma ** 2)),
        0,
      );
    }),
  );
}

/** The middle of the object of the scene, as shares of the side. */
function middle(): { x: number; y: number } {
  const { mask, image } = scene;
  let [x, y, count] = [0, 0, 0];
  mask.forEach((inside, i) => {
    if (!inside) return;
    x += i % image.width;
    y += Math.floor(i / image.width);
    count++;
  });
  return { x: x / count / image.width, y: y / count / image.height };
}

/** The middle of the teapot. */
export const center = middle();

/** A map whose highest values lie on the teapot. */
export const unsignedMap = bumps([
  { ...center, sigma: 0.12, height: 1 },
  { x: 0.2, y: 0.25, sigma: 0.08, height: 0.35 },
]);
/** A map with evidence for the teapot, and against it elsewhere. */
export const signedMap = bumps([
  { ...center, sigma: 0.12, height: 1 },
  { x: 0.2, y: 0.25, sigma: 0.1, height: -0.8 },
]);

const node = (id: number, patches: number[], confidence: number, root = false) => ({
  id,
  patches,
  confidence,
  probability: 0.86 * confidence,
  root,
});

/** A structured attention graph over 4 × 4 patches, as a search would find it. */
export const sag: Sag = {
  version: 1,
  grid: [4, 4],
  patches: 'hard',
  baseline: 'blur',
  target: { index: 0, label: 'teapot' },
  probability: 0.86,
  threshold: 0.9,
  ranking: [5, 6, 9, 10, 4, 7],
  explanations: [],
  diverse: { maxOverlap: 1, size: 2, exact: true },
  roots: [0, 1],
  nodes: [
    node(0, [5, 6, 10], 0.97, true),
    node(1, [6, 9, 11], 0.92, true),
    node(2, [5, 6], 0.71),
    node(3, [6, 10], 0.42),
    node(4, [5, 10], 0.08),
    node(5, [9, 11], 0.31),
    node(6, [6, 9], 0.66),
    node(7, [6], 0.12),
    node(8, [5], 0.004),
  ],
  edges: [
    { from: 0, to: 2, removed: 10 },
    { from: 0, to: 3, removed: 5 },
    { from: 0, to: 4, removed: 6 },
    { from: 1, to: 5, removed: 6 },
    { from: 1, to: 6, removed: 11 },
    { from: 2, to: 7, removed: 5 },
    { from: 3, to: 7, removed: 10 },
    { from: 6, to: 7, removed: 9 },
    { from: 2, to: 8, removed: 6 },
  ],
  truncated: false,
  exhausted: false,
  formula: 'P5&P6&P10 | P6&P9&P11',
};
