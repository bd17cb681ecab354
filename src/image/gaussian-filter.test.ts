import { expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { gaussianFilter } from './gaussian-filter.ts';

it('is the double sum of a Gaussian cut at four sigma, with zeros or a mirror outside', () => {
  const random = createRandom(2);
  const [height, width, sigma] = [7, 5, 1.3];
  const plane = Float64Array.from({ length: height * width }, () => random.normal());
  const radius = Math.floor(4 * sigma + 0.5);
  const taps = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)),
  );
  const total = taps.reduce((a, b) => a + b);
  const mirror = (i: number, n: number): number => {
    let at = i;
    while (at < 0 || at >= n) at = at < 0 ? -1 - at : 2 * n - 1 - at;
    return at;
  };
  for (const border of ['zero', 'mirror'] as const) {
    const filtered = gaussianFilter(height, width, sigma, border)(plane);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let dy = -radius; dy <= radius; dy++) {
          for (let dx = -radius; dx <= radius; dx++) {
            const outside = y + dy < 0 || y + dy >= height || x + dx < 0 || x + dx >= width;
            const value =
              outside && border === 'zero'
                ? 0
                : plane[mirror(y + dy, height) * width + mirror(x + dx, width)];
            sum += ((taps[dy + radius] * taps[dx + radius]) / total ** 2) * value;
          }
        }
        expect(filtered[y * width + x]).toBeCloseTo(sum, 10);
      }
    }
  }
  expect(gaussianFilter(height, width, 0, 'zero')(plane)).toEqual(plane);
});
