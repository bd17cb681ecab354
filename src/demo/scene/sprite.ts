import type { Random } from '../../tensor/random.ts';

/**
 * A decoded picture with an alpha channel: four interleaved bytes (R, G, B, A) per pixel, not
 * premultiplied.
 */
export interface Sprite {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Where and how a sprite is placed in a scene. */
export interface Placement {
  /** Centre, in pixels. */
  readonly x: number;
  readonly y: number;
  /** Length of the sprite's longer side, in pixels. */
  readonly size: number;
  /** Clockwise, in radians. */
  readonly angle: number;
  readonly flip: boolean;
  /** 3×3 row-major matrix applied to the colours. */
  readonly colour: readonly number[];
}

/** A drawn sprite: premultiplied RGBA in 0…1 over a rectangle of the scene. */
export interface Layer {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/**
 * One level of a sprite's pyramid: premultiplied RGBA in 0…1, inside a border of one transparent
 * pixel.
 */
interface Level {
  /** Size without the border. */
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

const pyramids = new WeakMap<Sprite, Level[]>();

function emptyLevel(width: number, height: number): Level {
  return { width, height, data: new Float32Array((width + 2) * (height + 2) * 4) };
}

/** Index in the data of a level at which the pixel (x, y) starts. */
function offsetIn(level: Level, x: number, y: number): number {
  return ((y + 1) * (level.width + 2) + x + 1) * 4;
}

function premultiply(sprite: Sprite): Level {
  const level = emptyLevel(sprite.width, sprite.height);
  for (let y = 0; y < sprite.height; y++) {
    for (let x = 0; x < sprite.width; x++) {
      const from = (y * sprite.width + x) * 4;
      const to = offsetIn(level, x, y);
      const alpha = sprite.data[from + 3] / 255;
      for (let c = 0; c < 3; c++) level.data[to + c] = (sprite.data[from + c] / 255) * alpha;
      level.data[to + 3] = alpha;
    }
  }
  return level;
}

/** Halves the size by 2×2 means. Pixels beyond an odd edge count as transparent. */
function halve(level: Level): Level {
  const half = emptyLevel(Math.ceil(level.width / 2), Math.ceil(level.height / 2));
  for (let y = 0; y < level.height; y++) {
    for (let x = 0; x < level.width; x++) {
      const from = offsetIn(level, x, y);
      const to = offsetIn(half, x >> 1, y >> 1);
      for (let c = 0; c < 4; c++) half.data[to + c] += level.data[from + c] / 4;
    }
  }
  return half;
}

function pyramidOf(sprite: Sprite): Level[] {
  let levels = pyramids.get(sprite);
  if (!levels) {
    levels = [premultiply(sprite)];
    while (levels[levels.length - 1].width > 4) levels.push(halve(levels[levels.length - 1]));
    pyramids.set(sprite, levels);
  }
  return levels;
}

/** Half the width and height of the upright box around a placed sprite. */
export function halfExtent(sprite: Sprite, size: number, angle: number): { x: number; y: number } {
  const scale = size / Math.max(sprite.width, sprite.height);
  const cos = Math.abs(Math.cos(angle));
  const sin = Math.abs(Math.sin(angle));
  return {
    x: (scale * (sprite.width * cos + sprite.height * sin)) / 2,
    y: (scale * (sprite.width * sin + sprite.height * cos)) / 2,
  };
}

/** The box of scene pixels that a placed sprite may touch, clipped to the scene. */
function coveredBox(sprite: Sprite, placement: Placement, side: number): Omit<Layer, 'data'> {
  const half = halfExtent(sprite, placement.size, placement.angle);
  const x = Math.max(0, Math.floor(placement.x - half.x) - 1);
  const y = Math.max(0, Math.floor(placement.y - half.y) - 1);
  const right = Math.min(side, Math.ceil(placement.x + half.x) + 1);
  const bottom = Math.min(side, Math.ceil(placement.y + half.y) + 1);
  return { x, y, width: Math.max(0, right - x), height: Math.max(0, bottom - y) };
}

/**
 * Writes the bilinear look-up at (u, v), in pixels of the level, to four floats of `data`. The
 * colour is multiplied by a 3×3 matrix and clipped to a valid premultiplied colour. Everything
 * outside the level is transparent.
 */
function sample(
  level: Level,
  u: number,
  v: number,
  colour: readonly number[],
  data: Float32Array,
  at: number,
): void {
  const x = Math.floor(u - 0.5);
  const y = Math.floor(v - 0.5);
  if (x < -1 || y < -1 || x >= level.width || y >= level.height) return;
  const source = level.data;
  const a = offsetIn(level, x, y);
  const b = a + (level.width + 2) * 4;
  const fx = u - 0.5 - x;
  const fy = v - 0.5 - y;
  const wa = (1 - fx) * (1 - fy);
  const wb = fx * (1 - fy);
  const wc = (1 - fx) * fy;
  const wd = fx * fy;
  const alpha = wa * source[a + 3] + wb * source[a + 7] + wc * source[b + 3] + wd * source[b + 7];
  if (alpha === 0) return;
  const red = wa * source[a] + wb * source[a + 4] + wc * source[b] + wd * source[b + 4];
  const green = wa * source[a + 1] + wb * source[a + 5] + wc * source[b + 1] + wd * source[b + 5];
  const blue = wa * source[a + 2] + wb * source[a + 6] + wc * source[b + 2] + wd * source[b + 6];
  for (let c = 0; c < 3; c++) {
    const value = colour[3 * c] * red + colour[3 * c + 1] * green + colour[3 * c + 2] * blue;
    data[at + c] = Math.min(alpha, Math.max(0, value));
  }
  data[at + 3] = alpha;
}

/** Draws a sprite into a new layer, from the pyramid level that avoids aliasing. */
export function drawSprite(sprite: Sprite, placement: Placement, side: number): Layer {
  const box = coveredBox(sprite, placement, side);
  const data = new Float32Array(box.width * box.height * 4);
  const levels = pyramidOf(sprite);
  const shrink = Math.max(sprite.width, sprite.height) / placement.size;
  const depth = Math.min(levels.length - 1, Math.max(0, Math.round(Math.log2(shrink))));
  const step = shrink / 2 ** depth;
  const cos = Math.cos(placement.angle) * step;
  const sin = Math.sin(placement.angle) * step;
  const mirror = placement.flip ? -1 : 1;
  const centreU = sprite.width / 2 ** depth / 2;
  const centreV = sprite.height / 2 ** depth / 2;
  for (let row = 0; row < box.height; row++) {
    const dy = box.y + row + 0.5 - placement.y;
    for (let column = 0; column < box.width; column++) {
      const dx = box.x + column + 0.5 - placement.x;
      const u = centreU + mirror * (cos * dx + sin * dy);
      const v = centreV - sin * dx + cos * dy;
      sample(levels[depth], u, v, placement.colour, data, (row * box.width + column) * 4);
    }
  }
  return { ...box, data };
}

/**
 * The soft shadow of a placed sprite: the alpha of a coarse pyramid level, in black and shifted.
 */
export function drawShadow(
  sprite: Sprite,
  placement: Placement,
  strength: number,
  side: number,
): Layer {
  const levels = pyramidOf(sprite);
  const coarse = levels[Math.min(levels.length - 1, 3)];
  const blurred: Sprite = shadowSprites.get(sprite) ?? shadowSprite(sprite, coarse);
  const size =
    placement.size *
    (Math.max(blurred.width, blurred.height) / Math.max(coarse.width, coarse.height));
  const moved = {
    ...placement,
    x: placement.x + placement.size * 0.03,
    y: placement.y + placement.size * 0.06,
    size,
  };
  const layer = drawSprite(blurred, moved, side);
  for (let i = 3; i < layer.data.length; i += 4) layer.data[i] *= strength;
  return layer;
}

const shadowSprites = new WeakMap<Sprite, Sprite>();

/** A small black sprite with a margin of two transparent pixels, so that the shadow fades out. */
function shadowSprite(sprite: Sprite, coarse: Level): Sprite {
  const margin = 2;
  const width = coarse.width + 2 * margin;
  const height = coarse.height + 2 * margin;
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < coarse.height; y++) {
    for (let x = 0; x < coarse.width; x++) {
      const alpha = coarse.data[offsetIn(coarse, x, y) + 3];
      data[((y + margin) * width + x + margin) * 4 + 3] = Math.round(255 * alpha);
    }
  }
  const shadow = { width, height, data };
  shadowSprites.set(sprite, shadow);
  return shadow;
}

/**
 * A slight random change of hue (± `hue` radians) and brightness (± `light`), as a colour matrix.
 */
export function randomColour(random: Random, hue = 0.2, light = 0.15): number[] {
  const gain = 1 + light * (2 * random.uniform() - 1);
  const angle = hue * (2 * random.uniform() - 1);
  const cos = Math.cos(angle);
  // A rotation around the grey axis keeps greys grey.
  const even = (1 - cos) / 3;
  const skew = Math.sin(angle) / Math.sqrt(3);
  const row = [cos + even, even - skew, even + skew];
  return [0, 1, 2].flatMap((r) => [0, 1, 2].map((c) => gain * row[(c - r + 3) % 3]));
}
