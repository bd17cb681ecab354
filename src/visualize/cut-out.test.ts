import { expect, it } from 'vitest';
import { image } from '../image/image.ts';
import { tensor } from '../tensor/tensor.ts';
import { cutOut } from './cut-out.ts';

it('cutOut keeps the inside, dims the outside and draws a white line between them', () => {
  const red = image(
    16,
    8,
    Uint8Array.from({ length: 3 * 16 * 8 }, (_, i) => (i % 3 === 0 ? 200 : 0)),
  );
  const left = tensor([2, 4], Float32Array.of(1, 1, 0, 0, 1, 1, 0, 0));
  const pixel = (x: number, data: Uint8Array) => [
    ...data.subarray(3 * (16 * 3 + x), 3 * (16 * 3 + x) + 3),
  ];
  const whole = cutOut(red, left).data;
  expect(pixel(0, whole)).toEqual([200, 0, 0]);
  expect(pixel(7, whole)).toEqual([200, 0, 0]);
  expect(pixel(8, whole)).toEqual([255, 255, 255]);
  expect(pixel(15, whole)).toEqual([18, 18, 18]); // 0.3 · 0.299 · 200
  const part = cutOut(red, left, { left: 8, top: 0, width: 8, height: 8 }).data; // the right half
  expect(pixel(2, part)).toEqual([18, 18, 18]);
  expect(pixel(9, part)).toEqual([200, 0, 0]);
});
