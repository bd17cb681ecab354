import type { Random } from '../../tensor/random.ts';

/** The mix of the two colours of a background at a pixel: 0 is the first colour, 1 the second. */
type Pattern = (x: number, y: number) => number;

type Colour = readonly [number, number, number];

/** The kinds of background that scenes have. */
const backgroundKinds = [
  'linear',
  'radial',
  'clouds',
  'stripes',
  'checks',
  'tiles',
  'blobs',
] as const;

const between = (random: Random, low: number, high: number): number =>
  low + (high - low) * random.uniform();

const clamp = (value: number): number => Math.min(1, Math.max(0, value));

/** 0 below -1, 1 above 1, smooth between. */
function ramp(value: number): number {
  const t = clamp((value + 1) / 2);
  return t * t * (3 - 2 * t);
}

/** A colour of any hue, from its hue (0…6), saturation and value. */
function randomColour(random: Random): Colour {
  const hue = between(random, 0, 6);
  const saturation = between(random, 0.05, 0.75);
  const value = between(random, 0.25, 1);
  const channel = (n: number): number => {
    const k = (n + hue) % 6;
    return value * (1 - saturation * clamp(Math.min(k, 4 - k)));
  };
  return [channel(5), channel(3), channel(1)];
}

/** Value noise: random numbers on a grid of `cell` pixels, joined smoothly. */
function valueNoise(random: Random, side: number, cell: number): Pattern {
  const cells = Math.ceil(side / cell) + 2;
  const grid = Float32Array.from({ length: cells * cells }, () => random.uniform());
  return (x, y) => {
    const gx = x / cell;
    const gy = y / cell;
    const x0 = Math.floor(gx);
    const y0 = Math.floor(gy);
    const fx = (gx - x0) * (gx - x0) * (3 - 2 * (gx - x0));
    const fy = (gy - y0) * (gy - y0) * (3 - 2 * (gy - y0));
    const at = y0 * cells + x0;
    const top = grid[at] + (grid[at + 1] - grid[at]) * fx;
    const bottom = grid[at + cells] + (grid[at + cells + 1] - grid[at + cells]) * fx;
    return top + (bottom - top) * fy;
  };
}

function clouds(random: Random, side: number): Pattern {
  const cell = between(random, 30, 90);
  const octaves = [1, 2, 4].map((f) => valueNoise(random, side, cell / f));
  return (x, y) =>
    clamp(
      1.6 * (octaves[0](x, y) * 0.57 + octaves[1](x, y) * 0.29 + octaves[2](x, y) * 0.14) - 0.3,
    );
}

function linear(random: Random, side: number): Pattern {
  const angle = between(random, 0, 2 * Math.PI);
  const dx = Math.cos(angle) / side;
  const dy = Math.sin(angle) / side;
  return (x, y) => clamp(0.5 + (x - side / 2) * dx + (y - side / 2) * dy);
}

function radial(random: Random, side: number): Pattern {
  const cx = between(random, 0, side);
  const cy = between(random, 0, side);
  const reach = between(random, 0.6, 1.2) * side;
  return (x, y) => clamp(Math.sqrt((x - cx) ** 2 + (y - cy) ** 2) / reach);
}

function stripes(random: Random): Pattern {
  const angle = between(random, 0, Math.PI);
  const period = between(random, 12, 60);
  const dx = (Math.cos(angle) * 2 * Math.PI) / period;
  const dy = (Math.sin(angle) * 2 * Math.PI) / period;
  // The higher the value, the harder the edges. Edges are at least about one pixel wide, to avoid
  // aliasing.
  const edge = between(random, 1, period / 7);
  return (x, y) => ramp(Math.sin(x * dx + y * dy) * edge);
}

function checks(random: Random): Pattern {
  const angle = between(random, 0, Math.PI / 2);
  const period = between(random, 24, 80);
  const cos = (Math.cos(angle) * 2 * Math.PI) / period;
  const sin = (Math.sin(angle) * 2 * Math.PI) / period;
  const edge = period / 7;
  return (x, y) => ramp(Math.sin(x * cos + y * sin) * Math.sin(y * cos - x * sin) * edge * 2);
}

function tiles(random: Random, side: number): Pattern {
  const width = between(random, 24, 70);
  const height = width * between(random, 0.4, 1);
  const shift = random.uniform() < 0.5 ? 0.5 : 0;
  const joint = between(random, 1.5, 3);
  const columns = Math.ceil(side / width) + 2;
  const shades = Float32Array.from(
    { length: columns * (Math.ceil(side / height) + 1) },
    () => 0.55 * random.uniform(),
  );
  return (x, y) => {
    const row = Math.floor(y / height);
    const across = x / width + (row % 2) * shift;
    const column = Math.floor(across);
    const fromEdge = Math.min(
      (across - column) * width,
      (column + 1 - across) * width,
      y - row * height,
      (row + 1) * height - y,
    );
    const inside = clamp(fromEdge - joint + 0.5);
    return 1 + (shades[row * columns + column] - 1) * inside;
  };
}

function blobs(random: Random, side: number): Pattern {
  const discs = Array.from({ length: 6 + random.integer(14) }, () => ({
    x: between(random, 0, side),
    y: between(random, 0, side),
    radius: between(random, 8, 45),
    shade: between(random, 0.3, 1),
  }));
  const softness = between(random, 0.7, 8);
  return (x, y) => {
    let shade = 0;
    for (const disc of discs) {
      const inside = disc.radius - Math.sqrt((x - disc.x) ** 2 + (y - disc.y) ** 2);
      if (inside > -softness) shade += (disc.shade - shade) * ramp(inside / softness);
    }
    return shade;
  };
}

const patterns: Record<
  (typeof backgroundKinds)[number],
  (random: Random, side: number) => Pattern
> = {
  linear,
  radial,
  clouds,
  stripes,
  checks,
  tiles,
  blobs,
};

/** Paints a random background: RGB in 0…1, three interleaved floats per pixel. */
export function paintBackground(random: Random, side: number): Float32Array {
  const pattern = patterns[backgroundKinds[random.integer(backgroundKinds.length)]](random, side);
  const from = randomColour(random);
  const to = randomColour(random);
  const light = linear(random, side);
  const lightRange = between(random, 0, 0.3);
  const grain = between(random, 0, 0.05);
  const canvas = new Float32Array(side * side * 3);
  let at = 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const t = pattern(x, y);
      const gain = 1 - lightRange * light(x, y);
      const noise = grain * (random.uniform() - 0.5);
      for (let c = 0; c < 3; c++) canvas[at++] = gain * (from[c] + (to[c] - from[c]) * t) + noise;
    }
  }
  return canvas;
}
