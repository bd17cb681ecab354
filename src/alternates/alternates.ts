import { FoveaError, throwIfCancelled } from '../errors.ts';
import type { Image } from '../image/image.ts';
import { fitImage, normalizePixels } from '../model/input/preprocessing.ts';
import type { Model, RunOptions } from '../model/model.ts';
import { mostProbable } from '../model/scored-class.ts';
import type { ScoredClass } from '../model/target.ts';
import { at } from '../tensor/at.ts';
import { createRandom } from '../tensor/random.ts';
import { argmax, slab, type Tensor, tensor } from '../tensor/tensor.ts';
import { FILLERS, type Filler } from './fillers.ts';
import { blend, salientBox, salientRegion } from './salient-region.ts';

/** Options of `alternates`. */
export interface AlternatesOptions extends Pick<RunOptions, 'batchSize' | 'signal' | 'onProgress'> {
  /** Class that must stay the model's top class. */
  readonly target: number;
  /**
   * Shares of the box around the salient region to replace. Default: 0.5, 0.6 … 0.9, as in the
   * paper.
   */
  readonly shares?: readonly number[];
  /** Candidates per share. Default: 24. */
  readonly candidates?: number;
  /** Pixels above this share of the range of the map are salient. Default: 0.5. */
  readonly threshold?: number;
  /** Fillers by name, used in turn. Default: `FILLERS`. */
  readonly fillers?: Readonly<Record<string, Filler>>;
  /** Default: 0. */
  readonly seed?: number;
}

/** A variation of a picture. */
export interface Alternate {
  readonly share: number;
  readonly filler: string;
  /** At the size of the model's input. */
  readonly picture: Image;
  readonly probability: number;
  /** Whether the class is still the top class. */
  readonly stays: boolean;
  /** The top class of the variation, with its probability. */
  readonly winner: ScoredClass;
}

/** Variations and, for each share, the number of them that did not change the prediction. */
export interface Alternates {
  readonly variations: readonly Alternate[];
  readonly accuracy: readonly {
    readonly share: number;
    readonly stay: number;
    readonly candidates: number;
    readonly accuracy: number;
  }[];
  /**
   * Box around the salient region, in pixels of the model's input: top, left, bottom, right,
   * half-open.
   */
  readonly box: readonly [top: number, left: number, bottom: number, right: number];
}

async function classifyAll(
  model: Model,
  pictures: readonly Image[],
  { batchSize, signal }: AlternatesOptions,
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  const group = batchSize ?? 8;
  for (let from = 0; from < pictures.length; from += group) {
    throwIfCancelled(signal);
    const inputs = pictures
      .slice(from, from + group)
      .map((each) => normalizePixels(each, model.preprocessing));
    const batch = tensor([inputs.length, ...at(inputs, 0).shape.slice(1)]);
    inputs.forEach(({ data }, k) => void batch.data.set(data, k * data.length));
    const scores = await model.classify(batch, { batchSize, signal });
    for (let k = 0; k < inputs.length; k++) rows.push(slab(scores, k).data);
  }
  return rows;
}

/** The number and the share of variations under which the class stays, for each share. */
const accuracyOf = (
  shares: readonly number[],
  variations: readonly Alternate[],
): Alternates['accuracy'] =>
  shares.map((share) => {
    const own = variations.filter((each) => each.share === share);
    const stay = own.filter(({ stays }) => stays).length;
    return {
      share,
      stay,
      candidates: own.length,
      accuracy: own.length > 0 ? stay / own.length : 0,
    };
  });

/**
 * Alternate explanations (Thakur & Fischmeister 2020, second part): other contents of the salient
 * region that do not change the prediction. For each share, seeded candidates replace the most
 * salient pixels of the box around the region. The candidates that leave the top class unchanged
 * are kept. The paper's table reports the accuracy over the candidates.
 * @throws FoveaError `usage` if the size of the map is not that of the model's input, or a share is
 * out of range.
 */
export async function alternates(
  model: Model,
  picture: Image,
  map: Tensor,
  options: AlternatesOptions,
): Promise<Alternates> {
  const {
    target,
    shares = [0.5, 0.6, 0.7, 0.8, 0.9],
    candidates = 24,
    threshold = 0.5,
    fillers = FILLERS,
    seed = 0,
    onProgress,
  } = options;
  const [height, width] = model.preprocessing.size;
  if (map.shape[0] !== height || map.shape[1] !== width)
    throw new FoveaError(
      'usage',
      `the map is ${map.shape.join('×')}, expected ${height}×${width}, the size of the ` +
        `model's input`,
    );
  const wrong = shares.find((share) => !(share > 0 && share <= 1));
  if (wrong !== undefined)
    throw new FoveaError('usage', `share ${wrong}: expected a number above 0 and at most 1`);
  const fitted = fitImage(picture, model.preprocessing);
  const box = salientBox(map, threshold);
  const named = Object.entries(fillers);
  const variations: Alternate[] = [];
  for (const [s, share] of shares.entries()) {
    const region = salientRegion(map, box, share);
    const random = createRandom(seed).fork(`share ${share}`);
    const pictures: Image[] = [];
    for (let k = 0; k < candidates; k++) {
      const [, fill] = at(named, k % named.length);
      const filled = await fill(fitted, region, random.fork(k));
      pictures.push(blend(fitted, filled, region));
    }
    const scores = await classifyAll(model, pictures, options);
    scores.forEach(
      (row, k) =>
        void variations.push({
          share,
          filler: at(named, k % named.length)[0],
          picture: at(pictures, k),
          probability: at(row, target),
          stays: argmax(row) === target,
          winner: mostProbable(model, row),
        }),
    );
    onProgress?.(s + 1, shares.length);
  }
  return { variations, accuracy: accuracyOf(shares, variations), box };
}
