import { FoveaError } from '../errors.ts';
import type { Explanation } from '../explanation.ts';
import { type Image, image } from '../image/image.ts';
import type { Region } from '../model/input/preprocessing.ts';
import { extent } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import {
  type Colormap,
  colormap,
  colourIndex,
  DEFAULT_COLORMAP,
  DEFAULT_SIGNED_COLORMAP,
} from './colormap.ts';
import { type NormalizeOptions, normalizeSigned, normalizeUnsigned } from './normalize.ts';

/** A map and its manifest: an explanation, or a map that was read from files. */
export type ExplainedMap = Pick<Explanation, 'map' | 'manifest'>;

/** Options of `overlay`. */
export interface OverlayOptions extends NormalizeOptions {
  /**
   * The part of the picture that the map covers, in pixels of the picture. Default: the region in
   * the explanation; for a plain map, the whole picture.
   */
  readonly region?: Region;
  /**
   * Whether negative values of the map mean evidence against the class. Default: the value in the
   * explanation; for a plain map, false.
   */
  readonly signed?: boolean;
  /** Name of a color map. Default: `inferno`; for signed maps `ice-fire`. */
  readonly colormap?: string;
  /** Opacity of the strongest color, 0 … 1. Default: 0.8. */
  readonly alpha?: number;
}

/** The two neighbours of each pixel along one axis of the map, and the share of the second. */
interface AxisTaps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly share: Float32Array;
}

/**
 * The pixel centre x + 0.5 is at u = (x + 0.5 - start) / length · size - 0.5 in the map. Beyond the
 * border, the border values are repeated.
 */
function tapsOf(
  from: number,
  count: number,
  start: number,
  length: number,
  size: number,
): AxisTaps {
  const taps = {
    first: new Int32Array(count),
    second: new Int32Array(count),
    share: new Float32Array(count),
  };
  for (let i = 0; i < count; i++) {
    const u = Math.min(size - 1, Math.max(0, ((from + i + 0.5 - start) / length) * size - 0.5));
    taps.first[i] = Math.floor(u);
    taps.second[i] = Math.min(size - 1, taps.first[i] + 1);
    taps.share[i] = u - taps.first[i];
  }
  return taps;
}

/**
 * The half-open range of pixels whose centres are in [start, start + length), within a side of
 * `size` pixels.
 */
function pixelsOf(start: number, length: number, size: number): [from: number, to: number] {
  const from = Math.max(0, Math.ceil(start - 0.5));
  return [from, Math.max(from, Math.min(size, Math.ceil(start + length - 0.5)))];
}

/**
 * Scales a map [h, w] to a picture's size [height, width] by bilinear interpolation. The map covers
 * `region` of the picture; pixels outside are NaN.
 */
export function projectMap(
  map: Tensor,
  width: number,
  height: number,
  region: Region = { left: 0, top: 0, width, height },
): Tensor {
  const [mapHeight, mapWidth] = map.shape;
  const [left, right] = pixelsOf(region.left, region.width, width);
  const [top, bottom] = pixelsOf(region.top, region.height, height);
  const columns = tapsOf(left, right - left, region.left, region.width, mapWidth);
  const rows = tapsOf(top, bottom - top, region.top, region.height, mapHeight);
  const result = tensor([height, width], new Float32Array(width * height).fill(Number.NaN));
  const line = new Float32Array(mapWidth);
  for (let y = top; y < bottom; y++) {
    const [a, b, t] = [
      rows.first[y - top] * mapWidth,
      rows.second[y - top] * mapWidth,
      rows.share[y - top],
    ];
    for (let x = 0; x < mapWidth; x++)
      line[x] = map.data[a + x] + t * (map.data[b + x] - map.data[a + x]);
    for (let x = left; x < right; x++) {
      const [p, q] = [line[columns.first[x - left]], line[columns.second[x - left]]];
      result.data[y * width + x] = p + columns.share[x - left] * (q - p);
    }
  }
  return result;
}

function paint(picture: Image, values: Float32Array, colours: Colormap, alpha: number): Image {
  const data = picture.data.slice();
  for (let i = 0; i < values.length; i++) {
    const strength = Math.abs(values[i]);
    if (!(strength > 0)) continue; // NaN outside the region too
    const opacity = alpha * Math.min(1, strength);
    const at = 3 * colourIndex(colours, values[i]);
    for (let c = 0; c < 3; c++)
      data[3 * i + c] = Math.round(
        data[3 * i + c] * (1 - opacity) + colours.table[at + c] * opacity,
      );
  }
  return image(picture.width, picture.height, data);
}

/**
 * The options from an explanation, for a picture that may be a smaller copy of the explained one.
 */
function factsOf({ manifest }: ExplainedMap, picture: Image): OverlayOptions {
  const { signed, image: explained } = manifest;
  const { left, top, width, height } = explained.region;
  const [x, y] = [picture.width / explained.width, picture.height / explained.height];
  const region = { left: x * left, top: y * top, width: x * width, height: y * height };
  return { signed, region };
}

/** The options that have a value. */
const given = (options: OverlayOptions): OverlayOptions =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/** How the values of a map become colors. */
export interface Shades {
  readonly colours: Colormap;
  /** Whether values are evidence for and against: zero stays zero. */
  readonly hasTwoSides: boolean;
}

/**
 * How a map is shown. A signed map whose values are all above 0 is shown from its least value on:
 * the part that all pixels have in common does not tell them apart.
 */
export function shadesOf(map: Tensor, signed: boolean, name: string | undefined): Shades {
  const colours = colormap(name ?? (signed ? DEFAULT_SIGNED_COLORMAP : DEFAULT_COLORMAP));
  return { colours, hasTwoSides: signed && !(extent(map.data)[0] > 0) };
}

/**
 * Lays a map over a picture, at the picture's own size. Color and opacity show how salient a pixel
 * is; pixels that do not matter keep the colors of the picture. A sequential color map on a signed
 * map shows only the evidence for the class; a diverging one shows both sides. A signed map whose
 * values are all above 0 is shown from its least value on.
 *
 *   out = (1 - a) · picture + a · color(v),  a = alpha · |v|,  v = the normalized map
 *
 * @param shown - an explanation, or a plain map [h, w]
 * @throws FoveaError `usage` for an unknown color map, an `alpha` or `percentiles` out of range, or
 * a map that is not [h, w].
 */
export function overlay(
  picture: Image,
  shown: ExplainedMap | Tensor,
  options: OverlayOptions = {},
): Image {
  const map = 'map' in shown ? shown.map : shown;
  const known = 'map' in shown ? factsOf(shown, picture) : {};
  const { region, signed = false, alpha = 0.8, percentiles } = { ...known, ...given(options) };
  const { colours, hasTwoSides } = shadesOf(map, signed, options.colormap);
  if (!(alpha >= 0 && alpha <= 1))
    throw new FoveaError('usage', `alpha ${alpha}: expected a number from 0 to 1`);
  if (map.shape.length !== 2)
    throw new FoveaError('usage', `overlay takes a map [height, width], got [${map.shape}]`);
  const normal = (hasTwoSides ? normalizeSigned : normalizeUnsigned)(map, { percentiles });
  const values =
    hasTwoSides && !colours.diverging
      ? tensor(
          normal.shape,
          normal.data.map((value) => Math.max(0, value)),
        )
      : normal;
  return paint(
    picture,
    projectMap(values, picture.width, picture.height, region).data,
    colours,
    alpha,
  );
}
