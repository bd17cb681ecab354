import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import sharp from 'sharp';
import { expect } from 'vitest';

/** A pixel differs if one of its channels differs by more than this, of 255. */
const DIFFERENCE = 32;

const golden = (name: string): URL => new URL(`${name}.png`, import.meta.url);
/** The folder for pictures that differ; it is not in the repository. */
const actual = new URL('../../.cache/golden/', import.meta.url);

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

async function pixelsOf(png: Uint8Array): Promise<Pixels> {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

/** The share of pixels that differ, of the larger picture; pixels that only one has differ. */
export function shareOfDifferences(a: Pixels, b: Pixels): number {
  const [width, height] = [Math.max(a.width, b.width), Math.max(a.height, b.height)];
  let different = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const within = [a, b].every((each) => x < each.width && y < each.height);
      const [i, j] = [3 * (y * a.width + x), 3 * (y * b.width + x)];
      const isSame =
        within && [0, 1, 2].every((c) => Math.abs(a.data[i + c] - b.data[j + c]) <= DIFFERENCE);
      if (!isSame) different++;
    }
  }
  return different / (width * height);
}

/**
 * Compares a picture with `NAME.png`: at most the share `tolerance` of its pixels may differ.
 * `npm run golden` writes the pictures anew; look at them before you commit them.
 */
export async function expectGolden(
  png: Uint8Array,
  name: string,
  tolerance: number,
): Promise<void> {
  if (process.env.UPDATE_GOLDEN) writeFileSync(golden(name), png);
  if (!existsSync(golden(name)))
    throw new Error(`test/golden/${name}.png is missing: npm run golden writes it`);
  const share = shareOfDifferences(await pixelsOf(png), await pixelsOf(readFileSync(golden(name))));
  if (share > tolerance) {
    mkdirSync(actual, { recursive: true });
    writeFileSync(new URL(`${name}.png`, actual), png);
  }
  expect(
    share,
    `share of pixels in which .cache/golden/${name}.png differs from test/golden/${name}.png`,
  ).toBeLessThanOrEqual(tolerance);
}
