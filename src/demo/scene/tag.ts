import type { Random } from '../../tensor/random.ts';
import type { Layer } from './sprite.ts';

/** An upright rectangle in pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Smallest and largest diameter of the sticker, in pixels. */
export const tagSize = [26, 30] as const;

/** Free pixels kept between the sticker and the object, and between the sticker and the border. */
const MARGIN = 3;

/**
 * The sticker's rings from the inside out: outer radius as a share of the sticker's radius, and
 * colour.
 */
const RINGS: ReadonlyArray<readonly [number, readonly [number, number, number]]> = [
  [0.3, [0.08, 0.08, 0.1]],
  [0.52, [1, 0.95, 0.2]],
  [0.82, [0.93, 0.05, 0.55]],
  [1, [1, 1, 1]],
];

/** Colour of the sticker at a share of its radius. */
function ringColour(share: number): readonly [number, number, number] {
  let ring = 0;
  while (share > RINGS[ring][0] && ring < RINGS.length - 1) ring++;
  return RINGS[ring][1];
}

/**
 * Draws the supplier's round sticker with its upper left corner at (x, y); 4×4 samples per pixel.
 */
export function drawTag(x: number, y: number, size: number): Layer {
  const data = new Float32Array(size * size * 4);
  const radius = size / 2;
  for (let i = 0; i < size * size * 16; i++) {
    const column = (i >> 4) % size;
    const row = Math.floor((i >> 4) / size);
    const dx = column + ((i & 3) + 0.5) / 4 - radius;
    const dy = row + (((i >> 2) & 3) + 0.5) / 4 - radius;
    const share = Math.sqrt(dx * dx + dy * dy) / radius;
    if (share > 1) continue;
    const colour = ringColour(share);
    const at = (i >> 4) * 4;
    for (let c = 0; c < 3; c++) data[at + c] += colour[c] / 16;
    data[at + 3] += 1 / 16;
  }
  return { x, y, width: size, height: size, data };
}

/**
 * Sums over all rectangles that start at the corner: four look-ups show whether a box is free.
 */
function integralOf(mask: Uint8Array, side: number): Int32Array {
  const sums = new Int32Array((side + 1) * (side + 1));
  for (let y = 0; y < side; y++) {
    let row = 0;
    for (let x = 0; x < side; x++) {
      row += mask[y * side + x];
      sums[(y + 1) * (side + 1) + x + 1] = sums[y * (side + 1) + x + 1] + row;
    }
  }
  return sums;
}

/**
 * A random box for the sticker that does not touch `mask` and a margin around it. If there is no
 * free box, the least covered box (objects of the usual sizes always leave a corner free).
 */
export function placeTag(random: Random, mask: Uint8Array, side: number): Box {
  const size = tagSize[0] + random.integer(tagSize[1] - tagSize[0] + 1);
  const sums = integralOf(mask, side);
  const stride = side + 1;
  let fewest = Number.POSITIVE_INFINITY;
  let best: Array<readonly [number, number]> = [];
  for (let y = MARGIN; y + size + MARGIN <= side; y += 2) {
    for (let x = MARGIN; x + size + MARGIN <= side; x += 2) {
      const top = (y - MARGIN) * stride;
      const bottom = (y + size + MARGIN) * stride;
      const left = x - MARGIN;
      const right = x + size + MARGIN;
      const covered =
        sums[bottom + right] - sums[bottom + left] - sums[top + right] + sums[top + left];
      if (covered < fewest) best = [];
      fewest = Math.min(fewest, covered);
      if (covered === fewest) best.push([x, y]);
    }
  }
  const [x, y] = best[random.integer(best.length)];
  return { x, y, width: size, height: size };
}
