import type { Random } from '../../../src/tensor/random.ts';
import { chance, HOSTILE_NUMBERS, pick } from './pick.ts';

type Change = (bytes: Uint8Array<ArrayBuffer>, random: Random) => Uint8Array<ArrayBuffer>;

const joined = (...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.concat(parts));

const overwriteNumber: Change = (bytes, random) => {
  const size = pick(random, [1, 2, 4, 8] as const);
  if (bytes.length < size) return bytes;
  const result = bytes.slice();
  const view = new DataView(result.buffer);
  const at = random.integer(bytes.length - size + 1);
  const value = BigInt(Math.trunc(pick(random, HOSTILE_NUMBERS)));
  const little = chance(random, 0.5);
  if (size === 1) view.setUint8(at, Number(BigInt.asUintN(8, value)));
  else if (size === 2) view.setUint16(at, Number(BigInt.asUintN(16, value)), little);
  else if (size === 4) view.setUint32(at, Number(BigInt.asUintN(32, value)), little);
  else view.setBigUint64(at, BigInt.asUintN(64, value), little);
  return result;
};

const CHANGES: readonly Change[] = [
  (bytes, random) => {
    const result = bytes.slice();
    const at = random.integer(Math.max(1, bytes.length));
    result[at] = (result[at] ?? 0) ^ (1 << random.integer(8));
    return result;
  },
  overwriteNumber,
  overwriteNumber,
  (bytes, random) => bytes.slice(0, random.integer(bytes.length + 1)),
  (bytes, random) => {
    const from = random.integer(bytes.length + 1);
    const to = Math.min(bytes.length, from + random.integer(64));
    return joined(bytes.subarray(0, from), bytes.subarray(to));
  },
  (bytes, random) => {
    const from = random.integer(bytes.length + 1);
    const part = bytes.subarray(from, from + random.integer(64));
    const times = pick(random, [1, 2, 1000]);
    return joined(bytes.subarray(0, from), ...Array(times).fill(part), bytes.subarray(from));
  },
  (bytes, random) => {
    const at = random.integer(bytes.length + 1);
    const noise = Uint8Array.from({ length: 1 + random.integer(16) }, () => random.integer(256));
    return joined(bytes.subarray(0, at), noise, bytes.subarray(at));
  },
];

/** Bytes with a few of them flipped, overwritten, cut off, taken out or repeated. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let result = new Uint8Array(bytes);
  for (let i = 1 + random.integer(4); i > 0; i--) result = pick(random, CHANGES)(result, random);
  return result;
}
