import { describe, expect, it } from 'vitest';
import { FoveaError } from '../errors.ts';
import {
  dataTypeCode,
  dataTypeName,
  type Initializer,
  initializerOf,
  tensorNumbers,
  tensorValues,
} from './index.ts';
import { float16ToNumber, numberToFloat16 } from './initializer.ts';
import { encodeTensor, parseTensor } from './tensor-proto.ts';
import { concatenate, createWireWriter, messageOfBytes, type WireWriter } from './wire.ts';

function parsed(build: (writer: WireWriter) => void): Initializer {
  const writer = createWireWriter();
  build(writer);
  return parseTensor(messageOfBytes(concatenate(writer.finish().parts), 'TensorProto'));
}

function header(writer: WireWriter, type: Initializer['type'], dims: readonly number[]): void {
  writer.packedInts(1, dims);
  writer.int(2, dataTypeCode(type));
  writer.string(8, 'tensor');
}

describe('tensorNumbers on raw_data', () => {
  it.each([
    'float32',
    'float64',
    'int8',
    'int16',
    'int32',
    'int64',
    'uint8',
    'uint16',
    'uint32',
    'uint64',
    'float16',
    'bfloat16',
  ] as const)('decodes %s as it was encoded', (type) => {
    const values = type.startsWith('u') ? [0, 1, 2, 100] : [0, 1, -2, 100];
    const tensor = initializerOf('tensor', type, [2, 2], values);
    expect(tensorNumbers(tensor)).toEqual(values);
    const again = parseTensor(
      messageOfBytes(concatenate(encodeTensor(tensor).parts), 'TensorProto'),
    );
    expect(again).toMatchObject({ name: 'tensor', type, dims: [2, 2] });
    expect(tensorNumbers(again)).toEqual(values);
  });

  it('decodes bool as 0 and 1', () =>
    expect(tensorNumbers(initializerOf('tensor', 'bool', [3], [true, false, true]))).toEqual([
      1, 0, 1,
    ]));
  it('decodes int64 exactly', () => {
    const values = BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n));
    expect(tensorValues(initializerOf('tensor', 'int64', [2], values))).toEqual(values);
  });
});

describe('tensorNumbers on typed fields', () => {
  it('decodes packed and unpacked float_data', () => {
    const packed = parsed((w) => {
      header(w, 'float32', [3]);
      w.packedFloats(4, [1, 2.5, -3]);
    });
    const unpacked = parsed((w) => {
      header(w, 'float32', [3]);
      for (const value of [1, 2.5, -3]) w.float(4, value);
    });
    for (const tensor of [packed, unpacked]) expect(tensorNumbers(tensor)).toEqual([1, 2.5, -3]);
    expect(unpacked.data.kind === 'fields' && unpacked.data.fields.length).toBe(1);
  });

  it('decodes int64_data with negative and large numbers, packed and unpacked', () => {
    const values = [-1, 2 ** 40, 0, -(2 ** 33)];
    const packed = parsed((w) => {
      header(w, 'int64', [4]);
      w.packedInts(7, values);
    });
    const unpacked = parsed((w) => {
      header(w, 'int64', [4]);
      for (const value of values) w.int(7, value);
    });
    expect(tensorValues(packed)).toEqual(BigInt64Array.from(values, BigInt));
    expect(tensorNumbers(unpacked)).toEqual(values);
  });

  it('decodes int32_data as int32, int8, bool and float16', () => {
    const of = (type: Initializer['type'], values: readonly number[]) =>
      tensorNumbers(
        parsed((w) => {
          header(w, type, [values.length]);
          w.packedInts(5, values);
        }),
      );
    expect(of('int32', [-5, 7])).toEqual([-5, 7]);
    expect(of('int8', [-5, 7])).toEqual([-5, 7]);
    expect(of('bool', [1, 0])).toEqual([1, 0]);
    expect(of('float16', [0x3c00, 0xc000])).toEqual([1, -2]);
  });

  it('decodes strings', () => {
    const tensor = parsed((w) => {
      header(w, 'string', [2]);
      w.string(6, 'a');
      w.string(6, 'bé');
    });
    expect(tensorValues(tensor)).toEqual(['a', 'bé']);
  });

  it('returns no values for an empty tensor', () => {
    expect(tensorNumbers(parsed((w) => header(w, 'float32', [0])))).toEqual([]);
  });

  it('decodes the same values after a rename', () => {
    const tensor = parsed((w) => {
      header(w, 'float32', [2]);
      w.packedFloats(4, [1, 2]);
    });
    const renamed = concatenate(encodeTensor({ ...tensor, name: 'other' }).parts);
    const again = parseTensor(messageOfBytes(renamed, 'TensorProto'));
    expect([again.name, ...tensorNumbers(again)]).toEqual(['other', 1, 2]);
  });
});

describe('a broken or unknown tensor', () => {
  it('is refused if its number of values is wrong', () => {
    const tensor = { ...initializerOf('w', 'float32', [4], [1, 2, 3, 4]), dims: [5] };
    expect(() => tensorValues(tensor)).toThrow('the tensor "w" of shape [5] contains 4 values');
    expect(() =>
      tensorValues({ ...tensor, data: { kind: 'raw', bytes: new Uint8Array(7) } }),
    ).toThrow(FoveaError);
  });

  it('keeps an unknown element type by its code', () => {
    const tensor = parsed((w) => {
      w.int(2, 99);
      w.bytes(9, Uint8Array.of(1, 2, 3));
    });
    expect(tensor.type).toBe('type:99');
    expect(dataTypeCode(dataTypeName(99))).toBe(99);
    expect(() => tensorValues(tensor)).toThrow('type:99');
    const again = parseTensor(
      messageOfBytes(concatenate(encodeTensor({ ...tensor, name: 'x' }).parts), 'TensorProto'),
    );
    expect(again).toMatchObject({
      type: 'type:99',
      name: 'x',
      data: { kind: 'raw', bytes: Uint8Array.of(1, 2, 3) },
    });
  });
});

describe('float16', () => {
  it('keeps every bit pattern when it is decoded and encoded', () => {
    const patterns = Array.from({ length: 0x10000 }, (_, bits) => bits);
    const numbers = patterns.filter((bits) => !Number.isNaN(float16ToNumber(bits)));
    expect(numbers.filter((bits) => numberToFloat16(float16ToNumber(bits)) !== bits)).toEqual([]);
  });

  it('is rounded to the nearest value, ties to even', () => {
    expect(numberToFloat16(1 + 2 ** -11)).toBe(0x3c00);
    expect(numberToFloat16(1 + 3 * 2 ** -11)).toBe(0x3c02);
    expect(numberToFloat16(65519)).toBe(0x7bff);
    expect(numberToFloat16(65520)).toBe(0x7c00);
    expect(numberToFloat16(2 ** -25)).toBe(0);
    expect(numberToFloat16(Number.NaN)).toBe(0x7e00);
  });
});
