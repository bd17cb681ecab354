import { FoveaError } from '../errors.ts';

import { extent, quantile } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';

/** How a raw map is scaled to a range for display. */
export interface NormalizeOptions {
  /**
   * Percentiles of the map (0 … 100) that become the ends of the range; values beyond are clipped.
   * Default: [0, 99.5], so that a few outliers do not make everything else dark.
   */
  readonly percentiles?: readonly [low: number, high: number];
}

const DEFAULT_PERCENTILES = [0, 99.5] as const;

/**
 * Differences smaller than this share of the largest magnitude are float32 rounding, not saliency.
 */
const FLAT = 1e-6;

/**
 * The value below which `percent` percent of the values are, with linear interpolation as in
 * NumPy's `percentile`. NaN if there are no values.
 */
export function percentile(values: ArrayLike<number>, percent: number): number {
  if (!(percent >= 0 && percent <= 100))
    throw new FoveaError('usage', `percentile ${percent}: expected a number from 0 to 100`);
  return quantile(Float64Array.from(values).sort(), percent / 100);
}

const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, value));

/** (value - low) / (high - low), clipped to 0 … 1; all 0 if the range is only rounding errors. */
function rescale(map: Tensor, low: number, high: number): Tensor {
  const flat = !(high - low > FLAT * Math.max(Math.abs(high), Math.abs(low)));
  return tensor(
    map.shape,
    flat ? undefined : map.data.map((value) => clamp((value - low) / (high - low), 0, 1)),
  );
}

/** A map scaled so that its smallest value is 0 and its largest 1; all 0 if they are equal. */
export function minMax(map: Tensor): Tensor {
  const [low, high] = extent(map.data);
  return rescale(map, low, high);
}

/**
 * A map for display, 0 … 1: 0 is the low percentile, 1 the high one. If they are equal, the
 * smallest and the largest value are used.
 */
export function normalizeUnsigned(
  map: Tensor,
  { percentiles = DEFAULT_PERCENTILES }: NormalizeOptions = {},
): Tensor {
  const [low, high] = percentiles;
  if (!(low >= 0 && low < high && high <= 100)) {
    throw new FoveaError(
      'usage',
      `percentiles [${low}, ${high}]: expected two rising numbers from 0 to 100`,
    );
  }
  const sorted = Float64Array.from(map.data).sort();
  const [from, to] = [quantile(sorted, low / 100), quantile(sorted, high / 100)];
  return to > from ? rescale(map, from, to) : minMax(map);
}

/**
 * A signed map for display, -1 … 1: zero stays zero, and the high percentile of the magnitudes
 * becomes 1. So evidence for and against the class have the same scale.
 */
export function normalizeSigned(
  map: Tensor,
  { percentiles = DEFAULT_PERCENTILES }: NormalizeOptions = {},
): Tensor {
  const magnitudes = map.data.map(Math.abs);
  const limit = percentile(magnitudes, percentiles[1]) || extent(magnitudes)[1];
  return tensor(
    map.shape,
    limit > 0 ? map.data.map((value) => clamp(value / limit, -1, 1)) : undefined,
  );
}
