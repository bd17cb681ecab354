import { z } from 'zod';
import { throwIfCancelled } from '../../errors.ts';
import type { Image } from '../../image/image.ts';
import { denormalize, normalizePixels } from '../../model/preprocessing.ts';
import type { Random } from '../../tensor/random.ts';
import { tensor } from '../../tensor/tensor.ts';
import type { Curve, Given, Measurement } from '../metric.ts';
import { classScores } from './class-scores.ts';
import { fillFromKnown } from './scattered-fill.ts';

const PAIR = [0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.13, 0.21, 0.34, 0.5, 0.75];
const BEE = [0.005, 0.01, 0.03, 0.08, 0.1, 0.21, 0.34, 0.5, 0.75];

/** The options of SIC and AIC. */
export const informationOptions = z.object({
  shares: z.array(z.number().gt(0).lt(1)).min(1).default(PAIR).describe('shares of the most salient pixels that are shown, rising'),
  known: z.number().min(0).lt(1).default(0.01).describe('share of pixels, drawn at random, that every picture shows'),
  leastScore: z.number().min(0).max(1).default(0.8).describe('pictures that the model scores lower than this are left out'),
  monotonous: z.boolean().default(true).describe('the curve never falls'),
  points: z.int().min(1).default(1000).describe('intervals of the curve'),
});

/** The protocols of PAIR's library and of IIA's tables (after the code of the same authors' BEE). */
export const informationPresets = {
  pair: { shares: PAIR, known: 0.01, leastScore: 0.8, monotonous: true, points: 1000 },
  'iia-2023': { shares: BEE, known: 0.01, leastScore: 0.5, monotonous: true, points: 1000 },
};

/** The value at share `q` of the sorted values, linear between neighbours. */
function quantile(sorted: Float32Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}

/** `share` of the pixels, drawn without replacement: 1, else 0. */
function randomPixels(count: number, share: number, random: Random): Uint8Array {
  const pixels = Uint32Array.from({ length: count }, (_, i) => i);
  const known = new Uint8Array(count);
  for (let i = 0; i < Math.floor(share * count); i++) {
    const j = i + random.integer(count - i);
    [pixels[i], pixels[j]] = [pixels[j], pixels[i]];
    known[pixels[i]] = 1;
  }
  return known;
}

/**
 * y at `points` + 1 equally distant x, linear between the given points, which are sorted by x; of several points at one x
 * the last counts to its right, the first to its left.
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

/** The class's score of each picture. */
async function scorePictures({ model, input, target, batchSize, signal }: Given<'model'>, pictures: readonly Image[], accuracy: boolean): Promise<number[]> {
  const batch = tensor([pictures.length, ...input.shape.slice(1)]);
  for (const [i, picture] of pictures.entries()) batch.data.set(normalizePixels(picture, model.preprocessing).data, i * input.data.length);
  return classScores(await model.classify(batch, { batchSize, signal }), target.index, accuracy);
}

/**
 * A performance information curve: the class's score over the information in the picture, while more of the most salient
 * pixels are shown. Everything else is interpolated from a few random pixels. Both axes are relative: 0 the picture of the
 * random pixels alone, 1 the whole picture. Information is the size as a lossless WebP file.
 *
 *   x_k = clip((size_k - size_0) / (size_1 - size_0)),  y_k = clip((s_k - s_0) / (s_1 - s_0)), the largest so far
 *
 * The value is the area under the points (0, 0), (x_k, y_k), (1, 1), joined linearly and resampled. A pixel is shown if its
 * value reaches the quantile 1 - share, so ties are shown together.
 */
export async function measureInformation(
  context: Given<'model' | 'codec'>,
  options: z.output<typeof informationOptions>,
  accuracy: boolean,
): Promise<Measurement> {
  const { model, input, map, losslessSize, random, signal, onProgress } = context;
  const whole = denormalize(input, model.preprocessing);
  const known = randomPixels(map.data.length, options.known, random);
  const score = (pictures: readonly Image[]) => scorePictures(context, pictures, accuracy);
  const coarse = fillFromKnown(whole, known);
  const [most, least] = await score([whole, coarse]);
  const [large, small] = [await losslessSize(whole), await losslessSize(coarse)];
  if (most < options.leastScore) return { value: null, reason: `the model's score of the whole picture, ${most.toFixed(3)}, is below ${options.leastScore}` };
  if (small >= large) return { value: null, reason: 'the picture of the random pixels alone holds no less information than the whole' };
  if (least >= most) return { value: null, reason: 'the picture of the random pixels alone scores no less than the whole' };
  const sorted = map.data.slice().sort();
  const pictures: Image[] = [];
  const sizes: Promise<number>[] = [];
  for (const share of options.shares) {
    throwIfCancelled(signal);
    const limit = quantile(sorted, 1 - share);
    const picture = fillFromKnown(
      whole,
      known.map((value, i) => (value || map.data[i] >= limit ? 1 : 0)),
    );
    pictures.push(picture);
    sizes.push(losslessSize(picture)); // packed while the next picture is made
    onProgress?.(pictures.length / (options.shares.length + 1));
  }
  const information = (await Promise.all(sizes)).map((size) => clip((size - small) / (large - small)));
  let highest = 0;
  const points = (await score(pictures)).map((value, k) => {
    const relative = clip((value - least) / (most - least));
    highest = Math.max(highest, relative);
    return [information[k], options.monotonous ? highest : relative] as const;
  });
  onProgress?.(1);
  const curve = resample([...points, [0, 0], [1, 1]], options.points);
  const area = curve.y.slice(1).reduce((sum, y, i) => sum + (y + curve.y[i]) / 2, 0) / options.points;
  return { value: area, curve };
}
