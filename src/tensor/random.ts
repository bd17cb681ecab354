/** An array or a typed array. */
interface Swappable {
  readonly length: number;
  [index: number]: unknown;
}

/**
 * A seeded source of random numbers. For the same seed, the numbers are the same on every machine.
 */
export interface Random {
  /** A float uniform in [0, 1), with 32 random bits. */
  uniform(): number;
  /** An integer uniform in 0 … below - 1. */
  integer(below: number): number;
  /** A standard normal variate (Box & Muller 1958). */
  normal(): number;
  /** Puts `values` into random order, in place (Fisher & Yates), and returns them. */
  shuffle<V extends Swappable>(values: V): V;
  /**
   * Draws `count` of `values` without replacement, or all values if there are fewer, and returns a
   * copy of the drawn values. `values` is reordered in place, and its first elements are the drawn
   * values (Fisher & Yates, stopped early).
   */
  sample<V extends Swappable & { slice(from: number, to: number): V }>(values: V, count: number): V;
  /**
   * Returns an independent stream with the name `key`. This does not advance the current stream.
   * Work that may run in any order or batch draws from forks, so that its numbers do not depend on
   * the order.
   */
  fork(key: string | number): Random;
}

function swap(values: Swappable, i: number, j: number): void {
  [values[i], values[j]] = [values[j], values[i]];
}

/** splitmix32, which fills the state of the main generator from a 32-bit seed. */
function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

/** The FNV-1a hash of a string, 32 bits, for names of streams. */
function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/**
 * Creates a source of random numbers: xoshiro128** (Blackman & Vigna 2018), seeded by splitmix32.
 * Only the lowest 32 bits of the seed count.
 */
export function createRandom(seed: number): Random {
  return createStream(seed, seed);
}

/**
 * A stream whose forks are derived from `base`. The base of a fork is mixed once more. Otherwise
 * `fork(a).fork(b)` would equal `fork(b).fork(a)`, and two equal names would cancel.
 */
function createStream(seed: number, base: number): Random {
  const next = splitmix32(seed);
  let [a, b, c, d] = [next(), next(), next(), next()];

  const bits = (): number => {
    const scaled = Math.imul(b, 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  const uniform = () => bits() / 0x1_0000_0000;
  const integer = (below: number): number => Math.floor(uniform() * below);
  return {
    uniform,
    integer,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle: (values) => {
      for (let i = values.length - 1; i > 0; i--) swap(values, i, integer(i + 1));
      return values;
    },
    sample: (values, count) => {
      const drawn = Math.min(count, values.length);
      for (let i = 0; i < drawn; i++) swap(values, i, i + integer(values.length - i));
      return values.slice(0, drawn);
    },
    fork: (key) => {
      const child = (base ^ Math.imul(hash32(String(key)), 0x9e3779b1)) >>> 0;
      return createStream(child, splitmix32(child)());
    },
  };
}
