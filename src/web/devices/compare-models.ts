import { FoveaError } from '../../errors.ts';
import { image } from '../../image/image.ts';
import { channelsOf, preprocess } from '../../model/input/preprocessing.ts';
import { INPUT, type Model, type ScoreKind } from '../../model/model.ts';
import { createRandom } from '../../tensor/random.ts';
import { argmax, slab, type Tensor, tensor } from '../../tensor/tensor.ts';

/** Pictures whose scores are compared, and altered copies of one of them. */
const PICTURES = 3;
const COPIES = 8;
/** Cells of a side of the grid that hides parts of a copy. */
const CELLS = 7;

/** What a model computes for a few random pictures. */
export interface Sample {
  /** Scores of the pictures, [PICTURES, classes]. */
  readonly scores: Float32Array;
  /** Scores of one class for altered copies of the first picture, [COPIES, 1]. */
  readonly copies: Float32Array;
  /** The gradient of that class by the first picture; undefined if the model has none. */
  readonly gradient?: Float32Array;
  /** Seconds for the copies, once the device is warm. */
  readonly seconds: number;
}

/** Smooth random pictures as the model takes them, [PICTURES, C, H, W]. */
function randomPictures({ preprocessing }: Model): Tensor {
  const shape = [PICTURES, channelsOf(preprocessing), ...preprocessing.size];
  const batch = tensor(shape);
  for (let row = 0; row < PICTURES; row++) {
    const random = createRandom(row);
    const pixels = Uint8Array.from({ length: 3 * 16 * 16 }, () => random.integer(256));
    slab(batch, row).data.set(preprocess(image(16, 16, pixels), preprocessing).data);
  }
  return batch;
}

/** The matrix that makes a row of pixels from a row of cells: each takes its nearest. */
function nearest(pixels: number): Tensor {
  const matrix = tensor([pixels, CELLS]);
  for (let i = 0; i < pixels; i++) matrix.data[i * CELLS + Math.floor((i * CELLS) / pixels)] = 1;
  return matrix;
}

/** Logits where there are some: probabilities near 0 and 1 would hide differences. */
const scoreOf = ({ output }: Model): ScoreKind => (output === 'logits' ? 'logit' : 'probability');

/** Scores of copies of a picture with random cells hidden, [COPIES]. */
async function scoresOfCopies(model: Model, input: Tensor, target: number): Promise<Float32Array> {
  const [height, width] = model.preprocessing.size;
  const random = createRandom(0);
  const cells = Float32Array.from({ length: COPIES * CELLS ** 2 }, () => random.integer(2));
  const { data } = await model.perturb({
    input,
    baseline: tensor([1, channelsOf(model.preprocessing), 1, 1]),
    targets: [target],
    score: scoreOf(model),
    perturbation: {
      kind: 'grids',
      grids: tensor([COPIES, CELLS, CELLS], cells),
      rows: nearest(height),
      columns: nearest(width),
      shifts: new Int32Array(2 * COPIES),
    },
  });
  return data;
}

/** The gradient of a class by a picture; undefined if the network has none. */
async function gradientOf(model: Model, batch: Tensor, target: number) {
  try {
    const found = await model.inside?.gradients({ batch, wrt: [INPUT], targets: [target] });
    return found?.gradients[0]?.data;
  } catch (error) {
    if (error instanceof FoveaError && error.code === 'unsupported') return undefined;
    throw error;
  }
}

/**
 * What a model computes for random pictures, the same on every device.
 * @param target - the class of the copies and of the gradient; by default the first picture's
 */
export async function sampleOf(
  model: Model,
  target?: number,
): Promise<Sample & { target: number }> {
  const pictures = randomPictures(model);
  const first = { ...slab(pictures, 0), shape: [1, ...pictures.shape.slice(1)] };
  const { data: scores, shape } = await model.classify(pictures, { score: scoreOf(model) });
  const chosen = target ?? argmax(scores.subarray(0, shape[1]));
  const copies = await scoresOfCopies(model, first, chosen);
  const started = performance.now();
  await scoresOfCopies(model, first, chosen);
  const seconds = (performance.now() - started) / 1000;
  return {
    scores,
    copies,
    gradient: await gradientOf(model, first, chosen),
    seconds,
    target: chosen,
  };
}

/** |a - b| / |b|, infinite if a value of `a` is not a number. */
export function relativeDistance(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let [difference, norm] = [0, 0];
  for (const [i, value] of b.entries()) {
    difference += (value - (a[i] ?? Number.NaN)) ** 2;
    norm += value ** 2;
  }
  const distance = Math.sqrt(difference / (norm || 1));
  return Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
}
