import { FoveaError } from '../errors.ts';
import { gaussianBlur } from '../image/blur.ts';
import { type Image, image } from '../image/image.ts';
import { resizeImage } from '../image/resize.ts';
import { dataInputs, readModel, type ValueInfo } from '../onnx/index.ts';
import type { Runtime, RuntimeTensor } from '../runtime/runtime.ts';
import { extent } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import type { Filler } from './fillers.ts';

/**
 * An ONNX model as a filler, whether its result depends on random numbers, and how to free
 * it.
 */
export interface Inpainter {
  readonly fill: Filler;
  readonly varies: boolean;
  release(): Promise<void>;
}

/** Latent vectors per use of a generator. The picture that fits best around the region is used. */
const DRAWS = 16;

const channels = (info: ValueInfo): unknown => info.shape?.[1];
const sideOf = (info: ValueInfo, axis: 2 | 3, otherwise: number): number => {
  const dim = info.shape?.[axis];
  return typeof dim === 'number' ? dim : otherwise;
};
const float32 = (shape: number[], data: Float32Array): RuntimeTensor => ({
  type: 'float32',
  shape,
  data,
});

function planes({ width, height, data }: Image): Float32Array {
  return Float32Array.from(
    { length: data.length },
    (_, i) => data[3 * (i % (width * height)) + Math.floor(i / (width * height))] / 255,
  );
}

/** Whether an input is a latent vector: [n, k] or [n, k, 1, 1]. */
function isLatent({ shape }: ValueInfo): boolean {
  const [, size, ...rest] = shape ?? [];
  return (
    typeof size === 'number' &&
    (rest.length === 0 || (rest.length === 2 && rest.every((dim) => dim === 1)))
  );
}

/**
 * The output of a model as a picture. Colours are 0 … 1; with values below 0 they are -1 … 1,
 * with values above 2, 0 … 255.
 */
function pictureOf(name: string, { shape, data }: RuntimeTensor): Image {
  const [, count, height, width] = shape;
  if (shape.length !== 4 || count !== 3)
    throw new FoveaError('model', `${name} returned [${shape}], expected a picture [1, 3, H, W]`);
  const values = data as Float32Array;
  const [low, high] = extent(values);
  const [scale, offset] = high > 2 ? [1, 0] : low < -0.05 ? [127.5, 127.5] : [255, 0];
  const area = height * width;
  return image(
    width,
    height,
    Uint8Array.from({ length: 3 * area }, (_, i) =>
      Math.min(
        255,
        Math.max(0, Math.round(scale * values[(i % 3) * area + Math.floor(i / 3)] + offset)),
      ),
    ),
  );
}

type Run = (feeds: Record<string, RuntimeTensor>) => Promise<RuntimeTensor>;

/** A filler that gives the model the picture with a hole in it. */
function holeFiller(name: string, run: Run, inputs: readonly ValueInfo[]): Filler {
  const picture = inputs.find((info) => channels(info) === 3);
  const hole = inputs.find((info) => channels(info) === 1) as ValueInfo;
  const shaped = picture ?? inputs[0];
  return async (source, region) => {
    const [height, width] = [sideOf(shaped, 2, source.height), sideOf(shaped, 3, source.width)];
    const area = height * width;
    const small = planes(resizeImage(source, width, height));
    const inside = Float32Array.from({ length: area }, (_, i) => {
      const y = Math.floor((Math.floor(i / width) * source.height) / height);
      const x = Math.floor(((i % width) * source.width) / width);
      return region[y * source.width + x];
    });
    for (let i = 0; i < small.length; i++) small[i] *= 1 - inside[i % area];
    const feeds = picture
      ? {
          [picture.name]: float32([1, 3, height, width], small),
          [hole.name]: float32([1, 1, height, width], inside),
        }
      : { [shaped.name]: float32([1, 4, height, width], Float32Array.from([...small, ...inside])) };
    return resizeImage(pictureOf(name, await run(feeds)), source.width, source.height);
  };
}

/**
 * The difference of two pictures outside a region. Pixels near the region have more weight: the
 * contextual loss of Yeh et al. 2017.
 */
function misfit(a: Image, b: Image, nearness: Float32Array): number {
  return a.data.reduce(
    (sum, value, i) => sum + nearness[Math.floor(i / 3)] * Math.abs(value - b.data[i]),
    0,
  );
}

/**
 * The model is given random vectors; of its outputs, the picture that fits best around the
 * region is taken.
 */
function latentFiller(name: string, run: Run, { name: input, shape }: ValueInfo): Filler {
  const [, size, ...rest] = shape as number[];
  return async (source, region, random) => {
    const { width, height } = source;
    const soft = gaussianBlur(tensor([1, height, width], Float32Array.from(region)), {
      sigma: Math.min(width, height) / 16,
    }).data;
    const nearness = soft.map((value, i) => value * (1 - region[i]));
    let best: { picture: Image; loss: number } | undefined;
    for (let draw = 0; draw < DRAWS; draw++) {
      const latent = Float32Array.from({ length: size }, () => random.normal());
      const picture = resizeImage(
        pictureOf(name, await run({ [input]: float32([1, size, ...rest], latent) })),
        width,
        height,
      );
      const loss = misfit(picture, source, nearness);
      if (!best || loss < best.loss) best = { picture, loss };
    }
    return (best as { picture: Image }).picture;
  };
}

/**
 * An ONNX model in place of the default fillers. An inpainting model takes the picture [1, 3, H, W]
 * with the hole black and the hole [1, 1, H, W] (1 is to be filled), as two inputs or as one of
 * four channels. A generator takes a latent vector [1, k] or [1, k, 1, 1] of normal random numbers;
 * of 16 outputs, the one that fits best around the region is taken. Both return a picture [1, 3, H,
 * W]. Inputs are 0 … 1; outputs may be 0 … 1, -1 … 1 or 0 … 255.
 * @throws FoveaError `model` if the model has other inputs.
 */
export async function createInpainter(
  name: string,
  bytes: Uint8Array,
  runtime: Runtime,
): Promise<Inpainter> {
  const inputs = dataInputs(readModel(bytes).graph);
  const counts = inputs.map(channels).sort().join();
  const latent = inputs.length === 1 && isLatent(inputs[0]);
  if (!latent && counts !== '1,3' && counts !== '4') {
    const found = inputs
      .map((info) => `${info.name} [${info.shape?.join(', ') ?? '?'}]`)
      .join(', ');
    throw new FoveaError(
      'model',
      `${name} is neither an inpainting model nor a generator: expected a picture [n, 3, H, ` +
        'W] and a hole [n, 1, H, W], both as [n, 4, H, W], or a latent vector [n, k]; found ' +
        `${found || 'no input'}`,
    );
  }
  const session = await runtime.createSession(bytes);
  const run: Run = async (feeds) => Object.values(await session.run(feeds))[0];
  const fill = latent ? latentFiller(name, run, inputs[0]) : holeFiller(name, run, inputs);
  return { fill, varies: latent, release: () => session.release() };
}
