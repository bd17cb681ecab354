import { colormap, colourIndex, normalizeSigned, normalizeUnsigned } from 'fovea/visualize';
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

const normalized = new WeakMap<
  Tensor,
  { readonly values: Float32Array; readonly signed: boolean }
>();

/**
 * The values of a map for display, -1 … 1 if both signs mean something, else 0 … 1. As
 * `overlay` of `fovea/visualize`, a signed map above zero everywhere is shown from its least value.
 */
export function displayed(
  map: Tensor,
  isSigned: boolean,
): { values: Float32Array; signed: boolean } {
  const known = normalized.get(map);
  if (known) return known;
  const signed = isSigned && map.data.some((value) => value <= 0);
  const values = (signed ? normalizeSigned(map) : normalizeUnsigned(map)).data;
  const made = { values, signed };
  normalized.set(map, made);
  return made;
}

/** The color map by which a map is shown. */
export const colormapOf = (look: Look, signed: boolean): string =>
  signed ? look.diverging : look.sequential;

/** A map as a small canvas of colors with transparency, to be drawn over its part of the picture. */
export function tinted(map: Tensor, isSigned: boolean, look: Look): HTMLCanvasElement {
  const [height = 0, width = 0] = map.shape;
  const { values, signed } = displayed(map, isSigned);
  const colours = colormap(colormapOf(look, signed));
  const pixels = new ImageData(width, height);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    const strength = Math.min(1, Math.abs(value));
    const at = 3 * colourIndex(colours, value);
    const shade = look.mode === 'spotlight' ? 0 : undefined;
    const opacity =
      look.mode === 'map'
        ? 1
        : look.mode === 'spotlight'
          ? 0.92 * (1 - Math.max(0, value))
          : look.opacity * strength;
    pixels.data[4 * i] = shade ?? colours.table[at] ?? 0;
    pixels.data[4 * i + 1] = shade ?? colours.table[at + 1] ?? 0;
    pixels.data[4 * i + 2] = shade ?? colours.table[at + 2] ?? 0;
    pixels.data[4 * i + 3] = Math.round(255 * opacity);
  }
  const canvas = createCanvas(width, height);
  contextOf(canvas).putImageData(pixels, 0, 0);
  return canvas;
}
