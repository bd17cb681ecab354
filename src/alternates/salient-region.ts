import { gaussianBlur } from '../image/blur.ts';
import { type Image, image } from '../image/image.ts';
import { extent } from '../tensor/statistics.ts';
import { argsortDescending, type Tensor, tensor } from '../tensor/tensor.ts';

/** The box around the pixels above `threshold` of the range of a map. */
export function salientBox(map: Tensor, threshold: number): [number, number, number, number] {
  const [height, width] = map.shape;
  const [low, high] = extent(map.data);
  const box: [number, number, number, number] = [height, width, 0, 0];
  map.data.forEach((value, i) => {
    if (high > low && value <= low + threshold * (high - low)) return;
    const [y, x] = [Math.floor(i / width), i % width];
    box[0] = Math.min(box[0], y);
    box[1] = Math.min(box[1], x);
    box[2] = Math.max(box[2], y + 1);
    box[3] = Math.max(box[3], x + 1);
  });
  return box;
}

/** Marks the most salient pixels in the box, `share` of its area, with 1 and all others with 0. */
export function salientRegion(
  map: Tensor,
  [top, left, bottom, right]: readonly number[],
  share: number,
): Uint8Array {
  const width = map.shape[1];
  const region = new Uint8Array(map.data.length);
  const inside: number[] = [];
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) inside.push(y * width + x);
  const order = argsortDescending(inside.map((i) => map.data[i]));
  for (const k of order.subarray(0, Math.round(share * inside.length))) region[inside[k]] = 1;
  return region;
}

/** The picture with the region replaced by `filled`; the border is softened over a few pixels. */
export function blend(picture: Image, filled: Image, region: Uint8Array): Image {
  const { width, height, data } = picture;
  const soft = gaussianBlur(tensor([1, height, width], Float32Array.from(region)), {
    sigma: Math.min(width, height) / 112,
  }).data;
  return image(
    width,
    height,
    Uint8Array.from(data, (value, i) =>
      Math.round(value + soft[Math.floor(i / 3)] * (filled.data[i] - value)),
    ),
  );
}
