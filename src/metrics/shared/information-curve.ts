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
    'shares of the most salient pixels that are shown, rising',
  ),
  known: option(
    v.pipe(number, v.minValue(0), v.ltValue(1)),
    0.01,
    'share of pixels, drawn at random, that every picture shows',
  ),
  leastScore: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0.8,
    'pictures that the model scores lower than this are left out',
  ),
  monotonous: option(v.boolean(), true, 'the curve never falls'),
  points: option(v.pipe(integer, v.minValue(1)), 1000, 'intervals of the curve'),
});

/**
 * The protocols of PAIR's library and of IIA's tables (after the code of the same authors' BEE).
 */
export const informationPresets = {
  pair: { shares: PAIR, known: 0.01, leastScore: 0.8, monotonous: true, points: 1000 },
  'iia-2023': { shares: BEE, known: 0.01, leastScore: 0.5, monotonous: true, points: 1000 },
};

/** `share` of the pixels, drawn without replacement: 1, else 0. */
function randomPixels(count: number, share: number, random: Random): Uint8Array {
  const pixels = Uint32Array.from({ length: count }, (_, i) => i);
  const known = new Uint8Array(count);
  for (const pixel of random.sample(pixels, Math.floor(share * count))) known[pixel] = 1;
  return known;
}

/**
 * y at `points` + 1 equally distant x, linear between the given points, which are sorted by x; of
 * several points at one x the last counts to its right, the first to its left.
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
 * What the model says to some pictures, [pictures, classes], and how many bytes each is as a
 * lossless file.
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

/** The whole picture, and what its random pixels alone tell of it. */
function seeEnds(context: InformationContext, whole: Image, known: Uint8Array): Promise<Seen> {
  const pictures = [whole, fillFromKnown(whole, known)];
  return see(
    context,
    pictures,
    pictures.map((picture) => context.losslessSize(picture)),
  );
}

/**
 * The pictures that show the most salient pixels besides the random ones, a share after the other.
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
    sizes.push(losslessSize(picture)); // packed while the next picture is made
    onProgress?.(pictures.length / (shares.length + 1));
  }
  return see(context, pictures, sizes);
}

/** Does once what several metrics of one map want. */
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
 * A performance information curve: the class's score over the information in the picture, while
 * more of the most salient pixels are shown. Everything else is interpolated from a few random
 * pixels. Both axes are relative: 0 the picture of the random pixels alone, 1 the whole picture.
 * Information is the size as a lossless WebP file.
 *
 *   x_k = clip((size_k - size_0) / (size_1 - size_0)),  y_k = clip((s_k - s_0) / (s_1 - s_0)), the
 * largest so far
 *
 * The value is the area under the points (0, 0), (x_k, y_k), (1, 1), joined linearly and resampled.
 * A pixel is shown if its value reaches the quantile 1 - share, so ties are shown together.
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
      reason:
        `the model's score of the whole picture, ${most.toFixed(3)}, is below ` +
        `${options.leastScore}`,
    };
  if (small >= large)
    return {
      value: null,
      reason: 'the picture of the random pixels alone holds no less information than the whole',
    };
  if (least >= most)
    return {
      value: null,
      reason: 'the picture of the random pixels alone scores no less than the whole',
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
