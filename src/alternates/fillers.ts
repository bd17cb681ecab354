import { gaussianBlur } from '../image/blur.ts';
import { type Image, image } from '../image/image.ts';
import { resizeImage } from '../image/resize.ts';
import type { Random } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';

/**
 * Makes new contents for a region of a picture. Returns a whole picture; only the region of it is
 * used.
 */
export type Filler = (picture: Image, region: Uint8Array, random: Random) => Image | Promise<Image>;

/** Blurs the picture with a sigma between 4 and 20 pixels of 224. */
const blur: Filler = ({ width, height, data }, _, random) => {
  const planes = tensor([3, height, width]);
  data.forEach((value, i) => (planes.data[(i % 3) * width * height + Math.floor(i / 3)] = value));
  const blurred = gaussianBlur(planes, {
    sigma: ((4 + 16 * random.uniform()) * Math.min(width, height)) / 224,
  }).data;
  return image(
    width,
    height,
    Uint8Array.from(data, (__, i) =>
      Math.round(blurred[(i % 3) * width * height + Math.floor(i / 3)]),
    ),
  );
};

/** Shifts the picture by a quarter to three quarters of its sides, with wrap-around. */
const elsewhere: Filler = ({ width, height, data }, _, random) => {
  const shift = (length: number) => Math.round(length * (0.25 + 0.5 * random.uniform()));
  const [dy, dx] = [shift(height), shift(width)];
  const from = (i: number) =>
    ((Math.floor(i / width) + dy) % height) * width + (((i % width) + dx) % width);
  return image(
    width,
    height,
    Uint8Array.from(data, (__, i) => data[3 * from(Math.floor(i / 3)) + (i % 3)]),
  );
};

const BLOCK = 16;

/** Fills with a texture: blocks of 16 × 16 pixels from outside the region, in random order. */
const texture: Filler = ({ width, height, data }, region, random) => {
  const corners: number[] = [];
  for (let y = 0; y + BLOCK <= height; y += BLOCK / 2) {
    for (let x = 0; x + BLOCK <= width; x += BLOCK / 2) {
      const middle = (y + BLOCK / 2) * width + x + BLOCK / 2;
      if (!region[middle]) corners.push(y * width + x);
    }
  }
  if (corners.length === 0) corners.push(0);
  const across = Math.ceil(width / BLOCK);
  const blocks = Array.from(
    { length: across * Math.ceil(height / BLOCK) },
    () => corners[random.integer(corners.length)],
  );
  const from = (i: number) => {
    const [y, x] = [Math.floor(i / width), i % width];
    return Math.min(
      width * height - 1,
      blocks[Math.floor(y / BLOCK) * across + Math.floor(x / BLOCK)] +
        (y % BLOCK) * width +
        (x % BLOCK),
    );
  };
  return image(
    width,
    height,
    Uint8Array.from(data, (_, i) => data[3 * from(Math.floor(i / 3)) + (i % 3)]),
  );
};

/**
 * Changes the colours: channels in another order, contrast between 0.5 and 1.5, brightness up or
 * down by up to a quarter.
 */
const recolour: Filler = ({ width, height, data }, _, random) => {
  const order = [
    [1, 2, 0],
    [2, 0, 1],
    [0, 2, 1],
    [2, 1, 0],
    [1, 0, 2],
  ][random.integer(5)];
  const [contrast, brightness] = [0.5 + random.uniform(), 128 * (random.uniform() - 0.5)];
  const shown = (value: number) =>
    Math.min(255, Math.max(0, Math.round(128 + contrast * (value - 128) + brightness)));
  return image(
    width,
    height,
    Uint8Array.from(data, (__, i) => shown(data[3 * Math.floor(i / 3) + order[i % 3]])),
  );
};

/** The fillers that need only the picture. */
export const FILLERS: Readonly<Record<string, Filler>> = { blur, elsewhere, texture, recolour };

/** A filler that returns one of the given pictures. */
export function pictureFiller(pictures: readonly Image[]): Filler {
  return ({ width, height }, _, random) =>
    resizeImage(pictures[random.integer(pictures.length)], width, height);
}
