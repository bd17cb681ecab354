/** An array or a typed array. */
interface Swappable {
  readonly length: number;
  [index: number]: unknown;
}

/** A seeded source of random numbers. The same seed gives the same numbers on every machine. */
export interface Random {
  /** A float uniform in [0, 1), with 32 random bits. */
  uniform(): number;
  /** An integer uniform in 0 … below-1. */
  integer(below: number): number;
  /** A standard normal variate (Box & Muller 1958). */
  normal(): number;
  /** Puts `values` into random order, in place (Fisher & Yates), and returns them. */
  shuffle<V extends Swappable>(values: V): V;
  /**
   * Draws `count` of `values` without replacement, or all if there are fewer, and returns a copy of
   * them. `values` is reordered in place: its first places hold what was drawn (Fisher & Yates,
   * stopped early).
   */
  sample<V extends Swappable & { slice(from: number, to: number): V }>(values: V, count: number): V;
  /**
   * An independent stream named by `key`; does not advance this one. Work that may run in any order
   * or batch draws from forks, so its numbers do not depend on that order.
   */
  fork(key: string | number): Random;
}

function swap(values: Swappable, i: number, j: number): void {
  [values[i], values[j]] = [values[j], values[i]];
}

/** splitmix32: spreads a 32-bit seed over the state of the main generator. */
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

/** FNV-1a of a string, to name streams. */
function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** xoshiro128** (Blackman & Vigna 2018) seeded through splitmix32. */
export function createRandom(seed: number): Random {
  return createStream(seed, seed);
}

/**
 * A stream whose forks are derived from `base`. The base of a fork is mixed once more: without
 * that, the names of forks of forks would commute and cancel.
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
