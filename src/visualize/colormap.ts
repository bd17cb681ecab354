import {
  interpolateCividis,
  interpolateInferno,
  interpolateMagma,
  interpolatePlasma,
  interpolatePuOr,
  interpolateRdBu,
  interpolateTurbo,
  interpolateViridis,
} from 'd3-scale-chromatic';
import { FoveaError } from '../errors.ts';
import { createRegistry } from '../registry.ts';

/** A color map as its author writes it. */
export interface ColormapDefinition {
  /** Letters, digits and hyphens. */
  readonly name: string;
  /** Whether its middle means 0, so that it can show both signs; false if left out. */
  readonly diverging?: boolean;
  /** The color at a position from 0 to 1, as `#rrggbb` or `rgb(r, g, b)`. */
  color(position: number): string;
}

const hat = (x: number): number => Math.round(255 * Math.min(1, Math.max(0, 1.5 - Math.abs(x))));

/**
 * MATLAB's jet: each channel is a clipped triangle, max(0, min(1, 1.5 - |4t - c|)) with c = 3, 2, 1
 * for R, G, B.
 */
const jet = (t: number): string => `rgb(${hat(4 * t - 3)}, ${hat(4 * t - 2)}, ${hat(4 * t - 1)})`;

const grey = (t: number): string => `rgb(${Array(3).fill(Math.round(255 * t))})`;

/**
 * Leaves out the nearly black ends of ColorBrewer's diverging maps, because strong values must look
 * strong over a picture.
 */
const bright = (t: number): number => 0.1 + 0.8 * t;

/**
 * Black in the middle. Upwards it is inferno (black, red, orange, yellow), downwards inferno with
 * red and blue exchanged (black, blue, light blue, cyan). So the two sides are blue and orange,
 * which people with any color vision can distinguish.
 */
function iceFire(t: number): string {
  const [r, g, b] = parseColour(interpolateInferno(Math.abs(2 * t - 1)));
  return t >= 0.5 ? `rgb(${r}, ${g}, ${b})` : `rgb(${b}, ${g}, ${r})`;
}

const builtIn: Record<ColormapName, Omit<ColormapDefinition, 'name'>> = {
  inferno: { color: interpolateInferno },
  viridis: { color: interpolateViridis },
  magma: { color: interpolateMagma },
  plasma: { color: interpolatePlasma },
  cividis: { color: interpolateCividis },
  turbo: { color: interpolateTurbo },
  jet: { color: jet },
  grey: { color: grey },
  'ice-fire': { diverging: true, color: iceFire },
  'blue-red': { diverging: true, color: (t: number) => interpolateRdBu(bright(1 - t)) },
  'purple-orange': { diverging: true, color: (t: number) => interpolatePuOr(bright(1 - t)) },
};

/** The name of a color map of Fovea. */
export type ColormapName =
  | 'inferno'
  | 'viridis'
  | 'magma'
  | 'plasma'
  | 'cividis'
  | 'turbo'
  | 'jet'
  | 'grey'
  | 'ice-fire'
  | 'blue-red'
  | 'purple-orange';

/** A color map as 256 colors. */
export interface Colormap {
  readonly name: string;
  /**
   * Diverging: the middle means 0, the ends mean -1 and 1. Otherwise the ends mean 0 and
   * 1.
   */
  readonly diverging: boolean;
  /** 256 × (R, G, B). */
  readonly table: Uint8Array;
}

/** The names of Fovea's color maps, sequential ones first. */
export const colormapNames = Object.keys(builtIn) as readonly ColormapName[];

/** The color maps that are registered, by name. A program can add its own. */
export const colormaps = createRegistry<ColormapDefinition>('color map');

colormaps.register(...colormapNames.map((name) => ({ name, ...builtIn[name] })));

/**
 * The default for unsigned maps: perceptually uniform, and readable with any color vision and in
 * grey print.
 */
export const DEFAULT_COLORMAP: ColormapName = 'inferno';

/** The default for signed maps: red to yellow for the class, blue to cyan against it. */
export const DEFAULT_SIGNED_COLORMAP: ColormapName = 'ice-fire';

const tables = new WeakMap<ColormapDefinition, Colormap>();

/** Reads `#rrggbb` or `rgb(r, g, b)`. */
function parseColour(css: string): number[] {
  if (css.startsWith('#')) return [1, 3, 5].map((at) => Number.parseInt(css.slice(at, at + 2), 16));
  return (css.match(/\d+/g) ?? []).slice(0, 3).map(Number);
}

/** The color of a definition at a position, as R, G and B. */
function colorAt({ name, color }: ColormapDefinition, position: number): number[] {
  const css = String(color(position));
  const channels = parseColour(css);
  if (channels.length === 3 && channels.every((value) => value >= 0 && value <= 255))
    return channels;
  throw new FoveaError(
    'usage',
    `the color map ${name} returns "${css}" at ${position}: expected #rrggbb or rgb(r, g, b)`,
  );
}

/**
 * A color map by its name.
 * @throws FoveaError `usage` for an unknown name, with all names, or if a definition returns
 * something that is not a color.
 */
export function colormap(name: string): Colormap {
  const definition = colormaps.get(name);
  const known = tables.get(definition);
  if (known) return known;
  const table = Uint8Array.from(
    Array.from({ length: 256 }, (_, i) => colorAt(definition, i / 255)).flat(),
  );
  const made = { name, diverging: definition.diverging === true, table };
  tables.set(definition, made);
  return made;
}

/**
 * The index into the 256 colors of a color map, for a normalized value: 0 … 1, or -1 … 1 for a
 * diverging map.
 */
export function colourIndex(map: Colormap, value: number): number {
  const position = map.diverging ? (value + 1) / 2 : value;
  return Math.round(255 * Math.min(1, Math.max(0, position)));
}

/** A color map as a CSS gradient, for color bars. */
export function cssGradient(name: string, direction = 'to right', stops = 17): string {
  const { table } = colormap(name);
  const colours = Array.from({ length: stops }, (_, i) => {
    const at = 3 * Math.round((255 * i) / (stops - 1));
    return `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
  });
  return `linear-gradient(${direction}, ${colours.join(', ')})`;
}
