import { colormap, colourIndex, percentile } from 'fovea/visualize';
import type { Tensor } from 'fovea/web';
import { contextOf, createCanvas } from './pictures.ts';

/** How a map lies over a picture. */
export type Mode = 'overlay' | 'map' | 'spotlight';

/** The color maps on offer: all of them work for color-blind readers. */
export const SEQUENTIAL = ['inferno', 'viridis', 'cividis'] as const;
export const DIVERGING = ['ice-fire', 'blue-red', 'purple-orange'] as const;

export interface Look {
  readonly mode: Mode;
  /** 0 … 1 */
  readonly opacity: number;
  readonly sequential: string;
  readonly diverging: string;
}

export const FIRST_LOOK: Look = {
  mode: 'overlay',
  opacity: 0.8,
  sequential: 'inferno',
  diverging: 'ice-fire',
};

/** The values of a map that get the first and the last color. */
export interface Scale {
  readonly low: number;
  readonly high: number;
  /** Whether negative values are drawn as evidence against the class. */
  readonly signed: boolean;
}

/** A map that is shown: the raw values, and whether negative ones mean something. */
export interface ShownMap {
  readonly map: Tensor;
  readonly signed: boolean;
  /** The scale that it shares with other maps; its own if there is none. */
  readonly scale?: Scale | undefined;
}

/** Values beyond this percentile are clipped, as `overlay` of `fovea/visualize` does. */
const HIGH = 99.5;

const scales = new WeakMap<Tensor, Scale>();

/**
 * The scale of a map alone. As for `overlay`, a signed map above zero everywhere is shown from its
 * least value on.
 */
function scaleOf({ map, signed: isSigned }: ShownMap): Scale {
  const known = scales.get(map);
  if (known) return known;
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of map.data) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const signed = isSigned && least <= 0;
  const high = percentile(signed ? map.data.map(Math.abs) : map.data, HIGH);
  const scale = signed
    ? { low: -(high || Math.max(-least, most)), high: high || Math.max(-least, most), signed }
    : { low: least, high: high > least ? high : most, signed };
  scales.set(map, scale);
  return scale;
}

/** The scale by which a map is drawn. */
export const shownScale = (shown: ShownMap): Scale => shown.scale ?? scaleOf(shown);

/** One scale for several maps, so that the same color means the same value on all of them. */
export function sharedScale(list: readonly ShownMap[]): Scale | undefined {
  if (list.length === 0) return undefined;
  const all = list.map(scaleOf);
  const signed = all.some((scale) => scale.signed);
  const high = Math.max(
    ...all.map((scale) => Math.max(scale.high, signed ? -scale.low : scale.high)),
  );
  return { low: signed ? -high : Math.min(...all.map(({ low }) => low)), high, signed };
}

/** Differences below this share of the largest magnitude are rounding. */
const FLAT = 1e-6;

/** A value on a scale: 0 … 1, or -1 … 1 if both signs mean something. */
export function place(value: number, { low, high, signed }: Scale): number {
  if (!(high - low > FLAT * Math.max(Math.abs(low), Math.abs(high)))) return 0;
  const share = signed ? value / high : (value - low) / (high - low);
  return Math.min(1, Math.max(signed ? -1 : 0, share));
}

/** A map with the values by which it is drawn. */
export function placed(shown: ShownMap): Tensor {
  const scale = shownScale(shown);
  return { shape: shown.map.shape, data: shown.map.data.map((value) => place(value, scale)) };
}

/** The color map by which a map is shown. */
export const colormapOf = (look: Look, signed: boolean): string =>
  signed ? look.diverging : look.sequential;

/** A map as a small canvas of colors with transparency, to be drawn over its part of the picture. */
export function tinted(shown: ShownMap, look: Look): HTMLCanvasElement {
  const { map } = shown;
  const { mode, opacity } = look;
  const [height = 0, width = 0] = map.shape;
  const scale = shownScale(shown);
  const colours = colormap(colormapOf(look, scale.signed));
  const { table } = colours;
  const pixels = new ImageData(width, height);
  for (let i = 0; i < map.data.length; i++) {
    const value = place(map.data[i] ?? 0, scale);
    if (mode === 'spotlight') {
      pixels.data[4 * i + 3] = Math.round(235 * (1 - Math.max(0, value)));
      continue;
    }
    const at = 3 * colourIndex(colours, value);
    pixels.data[4 * i] = table[at] ?? 0;
    pixels.data[4 * i + 1] = table[at + 1] ?? 0;
    pixels.data[4 * i + 2] = table[at + 2] ?? 0;
    pixels.data[4 * i + 3] = Math.round(255 * (mode === 'map' ? 1 : opacity * Math.abs(value)));
  }
  const canvas = createCanvas(width, height);
  contextOf(canvas).putImageData(pixels, 0, 0);
  return canvas;
}
