import type { Segmentation } from './superpixels.ts';

/**
 * Makes a segmentation from one label per pixel. Labels are renumbered from 0 in the order in which
 * they first appear.
 */
export function renumber(labels: ArrayLike<number>, width: number, height: number): Segmentation {
  const numbers = new Map<number, number>();
  const result = new Int32Array(width * height);
  for (let i = 0; i < result.length; i++) {
    const label = labels[i];
    if (!numbers.has(label)) numbers.set(label, numbers.size);
    result[i] = numbers.get(label) as number;
  }
  return { labels: result, width, height, count: numbers.size };
}
