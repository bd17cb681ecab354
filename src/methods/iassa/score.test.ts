import { expect, it } from 'vitest';
import { scoresPerTarget } from './score.ts';

/** Two pictures and three targets. */
const data = Float32Array.of(0.25, 0.5, 0, 0.75, -0.5, 1);

it('has one array per target', () => {
  expect(scoresPerTarget(data, 3, 'probability').map((scores) => [...scores])).toEqual([
    [0.25, 0.75],
    [0.5, -0.5],
    [0, 1],
  ]);
});

it('takes log(p + 0.001), mirrored below 0 through the point at 0', () => {
  const [, second, third] = scoresPerTarget(data, 3, 'log-probability');
  const zero = Math.log(0.001);
  expect(second).toBeAllClose([Math.log(0.501), 2 * zero - Math.log(0.501)], { atol: 1e-12 });
  expect(third).toBeAllClose([zero, Math.log(1.001)], { atol: 1e-12 });
});
