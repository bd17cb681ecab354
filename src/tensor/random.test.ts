import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from './random.ts';

const draw = (random: Random, count = 8) => Array.from({ length: count }, () => random.uniform());

describe('createRandom', () => {
  it('returns the same numbers for the same seed, and other numbers for another seed', () => {
    expect(draw(createRandom(7))).toEqual(draw(createRandom(7)));
    expect(draw(createRandom(7))).not.toEqual(draw(createRandom(8)));
  });

  it('draws numbers uniform in [0, 1) and standard normal', () => {
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

describe('shuffle and sample of Random', () => {
  /**
   * Fisher-Yates from the last position to the second. Recorded maps depend on this order of draws.
   */
  function shuffled(count: number, random: Random): number[] {
    const values = [...Array(count).keys()];
    for (let i = count - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      const moved = values[i];
      values[i] = values[j];
      values[j] = moved;
    }
    return values;
  }

  it('shuffle draws one integer per place, from the last to the second', () => {
    for (const count of [0, 1, 2, 9]) {
      const [random, same] = [createRandom(5), createRandom(5)];
      expect(random.shuffle([...Array(count).keys()])).toEqual(shuffled(count, same));
      expect(random.uniform()).toBe(same.uniform());
    }
  });

  it('sample draws one integer per value, without replacement', () => {
    const random = createRandom(5);
    const values = Uint32Array.from({ length: 12 }, (_, i) => i * i);
    const drawn = random.sample(values, 4);
    const same = createRandom(5);
    const left = Array.from({ length: 12 }, (_, i) => i * i);
    const expected = [0, 1, 2, 3].map((i) => {
      const j = same.integer(12 - i);
      const taken = left[j];
      left[j] = left[0]; // the first value fills the gap
      left.shift();
      return taken;
    });
    expect([...drawn]).toEqual(expected);
    expect(random.uniform()).toBe(same.uniform());
    expect([...values.subarray(0, 4)]).toEqual(expected);
    expect(values.toSorted()).toEqual(Uint32Array.from({ length: 12 }, (_, i) => i * i));
  });

  it('sample returns all values if fewer than count exist', () => {
    expect(createRandom(1).sample(['a', 'b', 'c'], 9).sort()).toEqual(['a', 'b', 'c']);
    expect(createRandom(1).sample([], 2)).toEqual([]);
  });

  it('shuffle returns every order with about the same probability', () => {
    const counts = new Map<string, number>();
    const random = createRandom(2);
    for (let n = 0; n < 6000; n++) {
      const order = random.shuffle(['a', 'b', 'c']).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});

describe('fork of Random', () => {
  it('does not advance the original stream', () => {
    const [plain, forked] = [createRandom(3), createRandom(3)];
    forked.fork('a').uniform();
    expect(draw(forked)).toEqual(draw(plain));
  });

  it('returns different streams for different sequences of names, at any depth', () => {
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
