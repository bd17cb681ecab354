import * as v from 'valibot';
import { throwIfCancelled } from '../../errors.ts';
import type { Image } from '../../image/image.ts';
import { denormalize, normalizePixels } from '../../model/input/preprocessing.ts';
import { integer, number, option } from '../../options.ts';
import { createRandom, type Random } from '../../tensor/random.ts';
import { quantile } from '../../tensor/statistics.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Curve, Given, Measurement } from '../metric.ts';
import { classScores } from './class-scores.ts';
import { fillFromKnown } from './scattered-fill.ts';

const PAIR = [0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.13, 0.21, 0.34, 0.5, 0.75];
const BEE = [0.005, 0.01, 0.03, 0.08, 0.1, 0.21, 0.34, 0.5, 0.75];

/** The options of SIC and AIC. */
export const informationOptions = v.object({
  shares: option(
    v.pipe(v.array(v.pipe(number, v.gtValue(0), v.ltValue(1))), v.minLength(1)),
    PAIR,
    'shares of the most salient pixels that are shown, in rising order',
  ),
  known: option(
    v.pipe(number, v.minValue(0), v.ltValue(1)),
    0.01,
    'share of random pixels that every picture shows',
  ),
  leastScore: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0.8,
    'pictures whose score is lower than this are left out',
  ),
  monotonous: option(
    v.boolean(),
    true,
    'whether each point of the curve is at least as high as the points before it',
  ),
  points: option(v.pipe(integer, v.minValue(1)), 1000, 'number of intervals of the curve'),
});

/**
 * The protocols of PAIR's library and of IIA's tables (as in the code of BEE by the same authors).
 */
export const informationPresets = {
  pair: { shares: PAIR, known: 0.01, leastScore: 0.8, monotonous: true, points: 1000 },
  'iia-2023': { shares: BEE, known: 0.01, leastScore: 0.5, monotonous: true, points: 1000 },
};

/**
 * Draws the share `share` of `count` pixels without replacement, [count]: 1 for these pixels, else
 * 0.
 */
function randomPixels(count: number, share: number, random: Random): Uint8Array {
  const pixels = Uint32Array.from({ length: count }, (_, i) => i);
  const known = new Uint8Array(count);
  for (const pixel of random.sample(pixels, Math.floor(share * count))) known[pixel] = 1;
  return known;
}

/**
 * Interpolates the given points linearly at `points` + 1 equally spaced x. If several points have
 * the same x, the last one is used to its right and the first one to its left.
 */
function resample(given: readonly (readonly [x: number, y: number])[], points: number): Curve {
  const sorted = [...given].sort((a, b) => a[0] - b[0]);
  let right = 0;
  const x = Array.from({ length: points + 1 }, (_, i) => i / points);
  const y = x.map((at) => {
    while (right < sorted.length - 1 && sorted[right][0] <= at) right++;
    const [[x0, y0], [x1, y1]] = [sorted[right - 1], sorted[right]];
    return at >= 1 ? sorted[sorted.length - 1][1] : y0 + ((at - x0) / (x1 - x0)) * (y1 - y0);
  });
  return { x, y };
}

const clip = (value: number): number => Math.min(1, Math.max(0, value));

/**
 * The scores of some pictures, [pictures, classes], and the size of each as a lossless file, in
 * bytes.
 */
interface Seen {
  readonly scores: Tensor;
  readonly sizes: readonly number[];
}

type InformationContext = Given<'model' | 'codec'>;
type InformationOptions = v.InferOutput<typeof informationOptions>;

async function see(
  { model, input, batchSize, signal }: InformationContext,
  pictures: readonly Image[],
  sizes: readonly Promise<number>[],
): Promise<Seen> {
  const batch = tensor([pictures.length, ...input.shape.slice(1)]);
  for (const [i, picture] of pictures.entries())
    batch.data.set(normalizePixels(picture, model.preprocessing).data, i * input.data.length);
  const [scores, bytes] = await Promise.all([
    model.classify(batch, { batchSize, signal }),
    Promise.all(sizes),
  ]);
  return { scores, sizes: bytes };
}

/**
 * Scores the two ends of the curve: the whole picture, and the picture interpolated from its random
 * pixels.
 */
function seeEnds(context: InformationContext, whole: Image, known: Uint8Array): Promise<Seen> {
  const pictures = [whole, fillFromKnown(whole, known)];
  return see(
    context,
    pictures,
    pictures.map((picture) => context.losslessSize(picture)),
  );
}

/**
 * Scores one picture per share. Each shows the share of the most salient pixels and the random
 * pixels.
 */
function seeShares(
  context: InformationContext,
  { shares }: InformationOptions,
  whole: Image,
  known: Uint8Array,
): Promise<Seen> {
  const { map, losslessSize, signal, onProgress } = context;
  const sorted = map.data.slice().sort();
  const pictures: Image[] = [];
  const sizes: Promise<number>[] = [];
  for (const share of shares) {
    throwIfCancelled(signal);
    const limit = quantile(sorted, 1 - share);
    const shown = known.map((value, i) => (value || map.data[i] >= limit ? 1 : 0));
    const picture = fillFromKnown(whole, shown);
    pictures.push(picture);
    sizes.push(losslessSize(picture)); // compressed while the next picture is made
    onProgress?.(pictures.length / (shares.length + 1));
  }
  return see(context, pictures, sizes);
}

/** Computes a result once for all metrics of one map. */
function once<T>(
  { shared }: InformationContext,
  key: string,
  compute: () => Promise<T>,
): Promise<T> {
  const result = (shared?.get(key) as Promise<T> | undefined) ?? compute();
  shared?.set(key, result);
  return result;
}

/**
 * Measures a performance information curve: the score of the class over the information in the
 * picture, while more of the most salient pixels are shown. All other pixels are interpolated from
 * these and a few random pixels. Information is the size as a lossless WebP file. Both axes are
 * relative: 0 is the picture of the random pixels only, 1 is the whole picture.
 *
 *   x_k = clip((size_k - size_0) / (size_1 - size_0))
 *   y_k = clip((s_k - s_0) / (s_1 - s_0)), or with `monotonous` the largest of these up to k
 *
 * The value is the area under the resampled, piecewise linear curve through (0, 0), (x_k, y_k) and
 * (1, 1), 0 … 1. A pixel is shown if its value is at least the quantile 1 - share, so pixels of
 * equal value are shown together.
 */
export async function measureInformation(
  context: InformationContext,
  options: InformationOptions,
  accuracy: boolean,
): Promise<Measurement> {
  const { model, input, map, target, seed, onProgress } = context;
  const whole = denormalize(input, model.preprocessing);
  const known = randomPixels(
    map.data.length,
    options.known,
    createRandom(seed ?? 0).fork('information'),
  );
  const ends = await once(context, `information ${options.known}`, () =>
    seeEnds(context, whole, known),
  );
  const [most, least] = classScores(ends.scores, target.index, accuracy);
  const [large, small] = ends.sizes;
  if (most < options.leastScore)
    return {
      value: null,
      reason: `the score of the whole picture, ${most.toFixed(3)}, is below ${options.leastScore}`,
    };
  if (small >= large)
    return {
      value: null,
      reason:
        'the picture of only the random pixels contains no less information than the whole ' +
        'picture',
    };
  if (least >= most)
    return {
      value: null,
      reason: 'the picture of only the random pixels has no lower score than the whole picture',
    };
  const key = `information ${options.known} ${options.shares.join()}`;
  const { scores, sizes } = await once(context, key, () =>
    seeShares(context, options, whole, known),
  );
  let highest = 0;
  const points = classScores(scores, target.index, accuracy).map((value, k) => {
    const relative = clip((value - least) / (most - least));
    highest = Math.max(highest, relative);
    return [
      clip((sizes[k] - small) / (large - small)),
      options.monotonous ? highest : relative,
    ] as const;
  });
  onProgress?.(1);
  const curve = resample([...points, [0, 0], [1, 1]], options.points);
  const area =
    curve.y.slice(1).reduce((sum, y, i) => sum + (y + curve.y[i]) / 2, 0) / options.points;
  return { value: area, curve };
}
