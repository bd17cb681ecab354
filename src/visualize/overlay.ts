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

/** A map with what its manifest says of it: an explanation, or one that was read from files. */
export type ExplainedMap = Pick<Explanation, 'map' | 'manifest'>;

/** Options of `overlay`. */
export interface OverlayOptions extends NormalizeOptions {
  /**
   * Where the map lies in the picture, in pixels of the picture. If not given: as the explanation
   * says, and the whole picture for a plain map.
   */
  readonly region?: Region;
  /**
   * Whether negative values of the map mean evidence against the class. If not given: as the
   * explanation says, and false for a plain map.
   */
  readonly signed?: boolean;
  /** Name of a colour map; `inferno` if not given, `ice-fire` for signed maps. */
  readonly colormap?: string;
  /** Opacity of the strongest colour, 0 … 1; 0.8 if not given. */
  readonly alpha?: number;
}

/** The two neighbours of each pixel along one axis of the map, and the share of the second. */
interface AxisTaps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly share: Float32Array;
}

/**
 * Pixel centres x + 0.5 lie at u = (x + 0.5 - start) / length · size - 0.5 of the map; its border
 * values go on outwards.
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
 * The pixels, half-open, whose centres lie in [start, start + length), within a side of `size`
 * pixels.
 */
function pixelsOf(start: number, length: number, size: number): [from: number, to: number] {
  const from = Math.max(0, Math.ceil(start - 0.5));
  return [from, Math.max(from, Math.min(size, Math.ceil(start + length - 0.5)))];
}

/**
 * A map [h, w] brought to a picture's size by bilinear interpolation, [height, width]: `region` of
 * the picture shows the map, pixels outside it are NaN.
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

/** What an explanation says of how its map is shown on a picture, which may be a smaller copy. */
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

/**
 * A picture with a map over it, at the picture's own size: colour and opacity say how salient a
 * pixel is, so what does not matter stays the plain picture. A sequential colour map on a signed
 * map shows the evidence for the class only; a diverging one shows both sides. A signed map that is
 * above zero everywhere is shown from its least value on: what all pixels have in common says
 * nothing about any.
 *
 *   out = (1 - a) · picture + a · colour(v),  a = alpha · |v|,  v = the normalised map
 *
 * @param shown - an explanation, or a plain map [h, w]
 */
export function overlay(
  picture: Image,
  shown: ExplainedMap | Tensor,
  options: OverlayOptions = {},
): Image {
  const map = 'map' in shown ? shown.map : shown;
  const known = 'map' in shown ? factsOf(shown, picture) : {};
  const { region, signed = false, alpha = 0.8, percentiles } = { ...known, ...given(options) };
  const colours = colormap(
    options.colormap ?? (signed ? DEFAULT_SIGNED_COLORMAP : DEFAULT_COLORMAP),
  );
  if (!(alpha >= 0 && alpha <= 1))
    throw new FoveaError('usage', `alpha ${alpha}: expected a number from 0 to 1`);
  if (map.shape.length !== 2)
    throw new FoveaError('usage', `overlay takes a map [height, width], got [${map.shape}]`);
  const normalize = signed && !(extent(map.data)[0] > 0) ? normalizeSigned : normalizeUnsigned;
  const normal = normalize(map, { percentiles });
  const values =
    signed && !colours.diverging
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
