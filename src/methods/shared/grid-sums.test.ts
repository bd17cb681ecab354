import { describe, expect, it } from 'vitest';
import { renderGrid } from '../../model/render-perturbation.ts';
import { createRandom } from '../../tensor/random.ts';
import { riseMasks } from '../rise.ts';
import { weightedMaskSum } from './grid-sums.ts';

describe('weightedMaskSum', () => {
  it('equals the sum of all rendered masks', () => {
    const random = createRandom(5);
    const [height, width, count] = [30, 22, 25];
    const masks = riseMasks(count, 4, 0.4, height, width, random);
    const weights = Float64Array.from({ length: count }, () => random.normal());
    const sum = weightedMaskSum(masks, weights, height, width);
    const literal = new Float64Array(height * width);
    for (let n = 0; n < count; n++)
      renderGrid(masks, n, height, width).forEach((value, i) => (literal[i] += weights[n] * value));
    for (let i = 0; i < literal.length; i++) expect(sum[i]).toBeCloseTo(literal[i], 5);
  });
});
