import { FoveaError } from '../errors.ts';
import { type Image, image } from '../image/image.ts';
import { resizeImage } from '../image/resize.ts';
import { dataInputs, readModel, type ValueInfo } from '../onnx/index.ts';
import type { Runtime, RuntimeTensor } from '../runtime/runtime.ts';
import type { Filler } from './fillers.ts';

/** An inpainting model as a filler, and how to free it. */
export interface Inpainter {
  readonly fill: Filler;
  release(): Promise<void>;
}

const channels = (info: ValueInfo): unknown => info.shape?.[1];
const sideOf = (info: ValueInfo, axis: 2 | 3, otherwise: number): number => {
  const dim = info.shape?.[axis];
  return typeof dim === 'number' ? dim : otherwise;
};

function planes({ width, height, data }: Image): Float32Array {
  return Float32Array.from({ length: data.length }, (_, i) => data[3 * (i % (width * height)) + Math.floor(i / (width * height))] / 255);
}

/**
 * An ONNX inpainting model in place of the default fillers: it takes the picture [1, 3, H, W] with the hole black and the hole
 * [1, 1, H, W] (1 is to be filled), as two inputs or as one of four channels, and answers the picture. Colours are 0 … 1;
 * an answer that reaches above 2 is taken as 0 … 255.
 * @throws FoveaError `model` if its inputs are others.
 */
export async function createInpainter(name: string, bytes: Uint8Array, runtime: Runtime): Promise<Inpainter> {
  const inputs = dataInputs(readModel(bytes).graph);
  const picture = inputs.find((info) => channels(info) === 3);
  const hole = inputs.find((info) => channels(info) === 1);
  const joint = inputs.find((info) => channels(info) === 4);
  if (!(inputs.length === 2 && picture && hole) && !(inputs.length === 1 && joint)) {
    const found = inputs.map((info) => `${info.name} [${info.shape?.join(', ') ?? '?'}]`).join(', ');
    throw new FoveaError(
      'model',
      `${name} is no inpainting model: expected a picture [n, 3, H, W] and a hole [n, 1, H, W], or both as [n, 4, H, W]; found ${found || 'no input'}`,
    );
  }
  const shaped = (picture ?? joint) as ValueInfo;
  const session = await runtime.createSession(bytes);
  const fill: Filler = async (source, region) => {
    const [height, width] = [sideOf(shaped, 2, source.height), sideOf(shaped, 3, source.width)];
    const area = height * width;
    const small = planes(resizeImage(source, width, height));
    const inside = Float32Array.from({ length: area }, (_, i) => {
      const y = Math.floor((Math.floor(i / width) * source.height) / height);
      const x = Math.floor(((i % width) * source.width) / width);
      return region[y * source.width + x];
    });
    for (let i = 0; i < small.length; i++) small[i] *= 1 - inside[i % area];
    const float32 = (count: number, data: Float32Array): RuntimeTensor => ({ type: 'float32', shape: [1, count, height, width], data });
    const feeds: Record<string, RuntimeTensor> = joint
      ? { [joint.name]: float32(4, Float32Array.from([...small, ...inside])) }
      : { [(picture as ValueInfo).name]: float32(3, small), [(hole as ValueInfo).name]: float32(1, inside) };
    const [answer] = Object.values(await session.run(feeds));
    const values = answer.data as Float32Array;
    if (values.length !== 3 * area) throw new FoveaError('model', `${name} answered [${answer.shape}], expected [1, 3, ${height}, ${width}]`);
    const scale = values.some((value) => value > 2) ? 1 : 255;
    const filled = image(
      width,
      height,
      Uint8Array.from({ length: 3 * area }, (_, i) => Math.min(255, Math.max(0, Math.round(scale * values[(i % 3) * area + Math.floor(i / 3)])))),
    );
    return resizeImage(filled, source.width, source.height);
  };
  return { fill, release: () => session.release() };
}
