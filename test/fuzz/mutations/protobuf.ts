import { at } from '../../../src/tensor/at.ts';
import type { Random } from '../../../src/tensor/random.ts';
import { mutateBytes } from './bytes.ts';
import { chance, HOSTILE_NUMBERS, HOSTILE_TEXTS, pick } from './pick.ts';

/** A field of a message: its number and wire type, and its value as bytes or as fields. */
interface Field {
  readonly number: number;
  readonly wire: number;
  readonly value: Uint8Array;
  /** The fields in the value, if it reads as a message. */
  readonly fields?: readonly Field[];
  /** A length that is written in place of the right one. */
  readonly length?: number;
}

/** Values with more bytes are weights: nothing in them steers the reader. */
const LARGEST_MESSAGE = 2 ** 20;

function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}

/** The fields of a message; undefined if the bytes are not one. */
function parse(bytes: Uint8Array, depth = 0): Field[] | undefined {
  const fields: Field[] = [];
  let position = 0;
  const readVarint = (): number | undefined => {
    for (let [value, i] = [0, 0]; i < 10 && position < bytes.length; i++) {
      const byte = at(bytes, position++);
      value += (byte & 127) * 128 ** i;
      if (byte < 128) return value;
    }
    return undefined;
  };
  while (position < bytes.length) {
    const tag = readVarint();
    if (tag === undefined || tag < 8) return undefined;
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    const start = position;
    if (wire === 0) {
      if (readVarint() === undefined) return undefined;
      fields.push({ number, wire, value: bytes.subarray(start, position) });
      continue;
    }
    const length = wire === 2 ? readVarint() : { 1: 8, 5: 4 }[wire];
    if (length === undefined || position + length > bytes.length) return undefined;
    const value = bytes.subarray(position, position + length);
    position += length;
    const isSmall = value.length > 0 && value.length <= LARGEST_MESSAGE && depth < 12;
    const inner = wire === 2 && isSmall ? parse(value, depth + 1) : undefined;
    fields.push({ number, wire, value, ...(inner && { fields: inner }) });
  }
  return fields;
}

function write(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(({ number, wire, value, fields: inner, length }) => {
    const content = inner ? write(inner) : value;
    const head = varint(BigInt(number) * 8n + BigInt(wire));
    return wire === 2 ? [head, varint(length ?? content.length), content] : [head, content];
  });
  return new Uint8Array(Buffer.concat(parts));
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const hostileVarint = (random: Random): Uint8Array =>
  varint(BigInt(Math.trunc(pick(random, HOSTILE_NUMBERS))));

/** A message that holds itself many times over. */
function nested(field: Field, depth: number): Uint8Array {
  let value = field.fields ? write(field.fields) : field.value;
  for (let i = 0; i < depth; i++) value = write([{ number: field.number, wire: 2, value }]);
  return value;
}

const CHANGES: readonly ((field: Field, random: Random) => Field)[] = [
  (field, random) => ({ ...field, wire: 0, fields: undefined, value: hostileVarint(random) }),
  (field) => ({ ...field, wire: 0, fields: undefined, value: new Uint8Array(10).fill(255) }),
  (field, random) => ({
    ...field,
    wire: 2,
    fields: undefined,
    value: utf8(pick(random, HOSTILE_TEXTS)),
  }),
  (field) => ({ ...field, wire: 2, fields: undefined, value: Uint8Array.of(0xff, 0xfe, 0x80) }),
  (field, random) => ({ ...field, length: pick(random, [0, 1, 127, 2 ** 31, 2 ** 53]) }),
  (field, random) => ({ ...field, wire: random.integer(8) }),
  (field, random) => ({ ...field, number: pick(random, [1, 2, 5, 7, 11, 14, 20, 2 ** 29]) }),
  (field, random) => ({ ...field, fields: undefined, value: mutateBytes(field.value, random) }),
  (field, random) => ({
    ...field,
    wire: 2,
    fields: undefined,
    value: nested(field, pick(random, [3, 70, 300])),
  }),
  // A packed list of hostile integers: dimensions, axes, pads.
  (field, random) => ({
    ...field,
    wire: 2,
    fields: undefined,
    value: new Uint8Array(
      Buffer.concat(Array.from({ length: 1 + random.integer(6) }, () => hostileVarint(random))),
    ),
  }),
];

/** Fields with one of them changed, at any depth: deeper ones are as probable as others. */
function change(fields: readonly Field[], random: Random): Field[] {
  if (fields.length === 0) return [];
  const i = random.integer(fields.length);
  const field = at(fields, i);
  if (field.fields && chance(random, 0.85))
    return fields.with(i, { ...field, fields: change(field.fields, random) });
  if (chance(random, 0.12)) return fields.toSpliced(i, 1);
  if (chance(random, 0.12)) return fields.toSpliced(i, 0, field);
  if (chance(random, 0.12)) return fields.with(i, at(fields, random.integer(fields.length)));
  if (field.wire === 0 && chance(random, 0.6))
    return fields.with(i, { ...field, value: hostileVarint(random) });
  return fields.with(i, pick(random, CHANGES)(field, random));
}

/** Makes mutants of a protobuf file: fields of any depth get other values, lengths and places. */
export function createProtobufMutator(bytes: Uint8Array): (random: Random) => Uint8Array {
  const fields = parse(bytes) ?? [];
  return (random) => {
    let result: readonly Field[] = fields;
    for (let i = 1 + random.integer(3); i > 0; i--) result = change(result, random);
    const file = write(result);
    return chance(random, 0.05) ? mutateBytes(file, random) : file;
  };
}
