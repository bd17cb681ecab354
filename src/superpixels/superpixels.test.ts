import { describe, expect, it } from 'vitest';
import { image } from '../image/image.ts';
import { createRandom } from '../tensor/random.ts';
import { rgbToLab } from './lab.ts';
import { quickshift } from './quickshift.ts';
import { renumber } from './renumber.ts';
import { slic } from './slic.ts';
import type { Segmentation } from './superpixels.ts';

const [WIDTH, HEIGHT] = [48, 32];
/** Red to the left of a slanted edge, blue to the right. */
const isRed = (i: number): boolean => (i % WIDTH) + Math.floor(i / WIDTH) / 2 < 30;
const twoColours = image(
  WIDTH,
  HEIGHT,
  Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, (_, i) =>
    i % 3 === 0 && isRed(Math.floor(i / 3))
      ? 220
      : i % 3 === 2 && !isRed(Math.floor(i / 3))
        ? 220
        : 20,
  ),
);

/** Share of pixels that lie in a segment of which most pixels have the other colour. */
function leaked({ labels, count }: Segmentation): number {
  const red = new Float64Array(count);
  const size = new Float64Array(count);
  labels.forEach((label, i) => {
    red[label] += Number(isRed(i));
    size[label]++;
  });
  return (
    red.reduce((sum, value, label) => sum + Math.min(value, size[label] - value), 0) / labels.length
  );
}

function isConnected({ labels, width, height, count }: Segmentation): boolean {
  const seen = new Uint8Array(labels.length);
  let parts = 0;
  for (let start = 0; start < labels.length; start++) {
    if (seen[start]) continue;
    parts++;
    const stack = [start];
    seen[start] = 1;
    while (stack.length > 0) {
      const i = stack.pop() as number;
      for (const j of [
        i % width > 0 ? i - 1 : -1,
        i % width < width - 1 ? i + 1 : -1,
        i - width,
        i + width < width * height ? i + width : -1,
      ]) {
        if (j < 0 || seen[j] || labels[j] !== labels[i]) continue;
        seen[j] = 1;
        stack.push(j);
      }
    }
  }
  return parts === count;
}

describe('rgbToLab', () => {
  it('gives the colours of CIE L*a*b*', () => {
    const lab = rgbToLab(image(4, 1, Uint8Array.of(255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 0, 255)));
    const expected = [100, 0, 0, 0, 0, 0, 53.24, 80.09, 67.2, 32.3, 79.19, -107.86];
    expected.forEach((value, i) => expect(Math.abs(lab[i] - value)).toBeLessThan(0.02));
  });
});

describe.each([
  ['slic', slic(twoColours, { segments: 24 })],
  ['quickshift', quickshift(twoColours, { kernelSize: 3, maxDistance: 8, ratio: 1 })],
] as const)('%s', (name, segmentation) => {
  it('follows edges of colour', () => expect(leaked(segmentation)).toBeLessThan(0.01));

  it('numbers its segments from 0, in the order of the pixels', () => {
    expect(segmentation.labels[0]).toBe(0);
    expect(new Set(segmentation.labels).size).toBe(segmentation.count);
    expect(Math.max(...segmentation.labels)).toBe(segmentation.count - 1);
    expect(segmentation.count).toBeGreaterThan(1);
    expect(segmentation.count).toBeLessThan(60);
  });

  it('makes connected segments', () => {
    if (name === 'slic') expect(isConnected(segmentation)).toBe(true);
  });
});

describe('quickshift', () => {
  it('makes larger segments if links may be longer', () => {
    const random = createRandom(1);
    const noise = image(
      40,
      40,
      Uint8Array.from({ length: 4800 }, () => random.integer(256)),
    );
    const count = (maxDistance: number) =>
      quickshift(noise, { kernelSize: 2, maxDistance, ratio: 0.1 }).count;
    expect(count(20)).toBeLessThan(count(3));
  });
});

describe('slic', () => {
  it('returns a grid for a plain picture', () => {
    const { count, labels } = slic(image(40, 40), { segments: 16 });
    expect(count).toBe(16);
    expect([...new Set(labels.subarray(0, 40))]).toEqual([0, 1, 2, 3]);
  });
});

describe('renumber', () => {
  it('counts labels in the order of their first pixel', () => {
    expect(renumber([7, 7, -3, 7], 2, 2)).toEqual({
      labels: Int32Array.of(0, 0, 1, 0),
      width: 2,
      height: 2,
      count: 2,
    });
  });
});
