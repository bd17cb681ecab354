import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from './random.ts';

const draw = (random: Random, count = 8) => Array.from({ length: count }, () => random.uniform());

describe('createRandom', () => {
  it('repeats itself for a seed, and for no other', () => {
    expect(draw(createRandom(7))).toEqual(draw(createRandom(7)));
    expect(draw(createRandom(7))).not.toEqual(draw(createRandom(8)));
  });

  it('is uniform in [0, 1) and standard normal', () => {
    const random = createRandom(1);
    const uniform = draw(random, 20000);
    const normal = Array.from({ length: 20000 }, () => random.normal());
    const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
    expect(uniform.every((x) => x >= 0 && x < 1)).toBe(true);
    expect(Math.abs(mean(uniform) - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(mean(normal))).toBeLessThan(0.03);
    expect(Math.abs(mean(normal.map((x) => x * x)) - 1)).toBeLessThan(0.05);
    expect(new Set(Array.from({ length: 200 }, () => random.integer(4)))).toEqual(
      new Set([0, 1, 2, 3]),
    );
  });
});

describe('fork', () => {
  it('does not advance the stream it comes from', () => {
    const [plain, forked] = [createRandom(3), createRandom(3)];
    forked.fork('a').uniform();
    expect(draw(forked)).toEqual(draw(plain));
  });

  it('gives streams of their own, to any depth: names neither commute nor cancel', () => {
    const root = () => createRandom(3);
    const streams = [
      root(),
      root().fork('a'),
      root().fork('b'),
      root().fork('a').fork('b'),
      root().fork('b').fork('a'),
      root().fork('a').fork('a'),
      root().fork(1),
      root().fork(2),
    ];
    expect(new Set(streams.map((stream) => draw(stream).join())).size).toBe(streams.length);
    expect(draw(root().fork('a').fork('b'))).toEqual(draw(root().fork('a').fork('b')));
  });
});
