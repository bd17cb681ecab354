import { describe, expect, it } from 'vitest';
import { FoveaError } from '../errors.ts';
import { decodeNpy, encodeNpy } from './npy.ts';
import { tensor } from './tensor.ts';

/** The bytes of an .npy file with this header dictionary, data and format version. */
function npy(
  dictionary: string,
  data: ArrayBufferView | readonly number[],
  version = 1,
): Uint8Array {
  const text = Buffer.from(`${dictionary}\n`);
  const length =
    version === 1
      ? [text.length & 255, text.length >> 8]
      : [text.length & 255, text.length >> 8, 0, 0];
  const body = Array.isArray(data)
    ? Buffer.from(data)
    : Buffer.from((data as ArrayBufferView).buffer);
  return new Uint8Array(
    Buffer.concat([
      Buffer.from([0x93, ...Buffer.from('NUMPY'), version, 0, ...length]),
      text,
      body,
    ]),
  );
}

const header = (descr: string, shape: string, fortran = false) =>
  `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${shape}), }`;

describe('encodeNpy', () => {
  it('writes the same bytes as numpy.save', () => {
    // np.save of np.array([[1, -2.5], [0, 3]], '<f4'), NumPy 1.24
    const expected = Buffer.from(
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDIp' +
        'LCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAIA/' +
        'AAAgwAAAAAAAAEBA',
      'base64',
    );
    expect(
      Buffer.from(encodeNpy(tensor([2, 2], Float32Array.of(1, -2.5, 0, 3)))).equals(expected),
    ).toBe(true);
  });

  it.each([
    [[]],
    [[3]],
    [[0]],
    [[2, 3, 1]],
    [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ])('writes a file that decodeNpy reads back, with shape [%s]', (shape) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const x = tensor(
      shape,
      Float32Array.from({ length: count }, (_, i) => i / 3 - 1),
    );
    const bytes = encodeNpy(x);
    expect((bytes.length - count * 4) % 64).toBe(0);
    expect(decodeNpy(bytes)).toEqual(x);
  });

  it('keeps NaN, infinities and the smallest float', () => {
    const values = Float32Array.of(Number.NaN, Infinity, -Infinity, 1e-45, -0);
    expect(decodeNpy(encodeNpy(tensor([5], values))).data).toEqual(values);
  });
});

describe('decodeNpy', () => {
  it.each([
    ['<f4', Float32Array.of(1.5, -2)],
    ['<f8', Float64Array.of(1.5, -2)],
    ['<f2', Uint16Array.of(0x3e00, 0xc000)],
    ['<i2', Int16Array.of(300, -2)],
    ['<u2', Uint16Array.of(300, 65535)],
    ['<i4', Int32Array.of(70000, -2)],
    ['<u4', Uint32Array.of(70000, 4294967295)],
    ['<i8', BigInt64Array.of(70000n, -2n)],
    ['|u1', Uint8Array.of(3, 255)],
    ['|i1', Int8Array.of(3, -128)],
    ['|b1', Uint8Array.of(0, 1)],
  ])('reads %s', (descr, data) => {
    const expected =
      descr === '<f2'
        ? [1.5, -2]
        : Array.from(data as ArrayLike<number | bigint>, (v) => Math.fround(Number(v)));
    const result = decodeNpy(npy(header(descr, '2,'), data as ArrayBufferView));
    expect(result).toEqual(tensor([2], Float32Array.from(expected)));
  });

  it('reads big-endian data and data that is not aligned', () => {
    expect([...decodeNpy(npy(header('>i2', '2,'), [1, 44, 255, 254])).data]).toEqual([300, -2]);
    const shifted = new Uint8Array([0, ...encodeNpy(tensor([1], Float32Array.of(7)))]).subarray(1);
    expect([...decodeNpy(shifted).data]).toEqual([7]);
  });

  it('reads half precision: subnormal, infinity, NaN, largest', () => {
    const { data } = decodeNpy(
      npy(header('<f2', '5,'), Uint16Array.of(0x0001, 0x7c00, 0xfc00, 0x7e00, 0x7bff)),
    );
    expect(data).toEqual(Float32Array.of(2 ** -24, Infinity, -Infinity, Number.NaN, 65504));
  });

  it('converts Fortran order to C order', () => {
    // np.asfortranarray(np.arange(24).reshape(2, 3, 4)), in which the first axis varies fastest
    const fortran = Uint8Array.from(
      { length: 24 },
      (_, i) => (i % 2) * 12 + (Math.floor(i / 2) % 3) * 4 + Math.floor(i / 6),
    );
    const result = decodeNpy(npy(header('|u1', '2, 3, 4', true), fortran));
    expect(result).toEqual(
      tensor(
        [2, 3, 4],
        Float32Array.from({ length: 24 }, (_, i) => i),
      ),
    );
  });

  it.each([1, 2, 3])('reads format version %i', (version) => {
    expect([...decodeNpy(npy(header('|u1', '1, 2'), [4, 5], version)).data]).toEqual([4, 5]);
  });

  it.each([
    ['text', Buffer.from('just some text here'), /map\.npy is not a NumPy \.npy file/],
    ['nothing', new Uint8Array(0), /map\.npy is not a NumPy \.npy file/],
    ['version 4', npy(header('|u1', '1,'), [1], 4), /format version 4\.0; versions 1 to 3/],
    [
      'a cut header',
      encodeNpy(tensor([2])).subarray(0, 50),
      /incomplete: the \.npy header is cut off/,
    ],
    [
      'a cut version 2',
      npy(header('|u1', '1,'), [1], 2).subarray(0, 11),
      /incomplete: the \.npy header is cut off/,
    ],
    [
      'cut data',
      encodeNpy(tensor([2])).subarray(0, 130),
      /incomplete: an array of shape \(2\) and type f4 needs 8 bytes of data, but it has 2/,
    ],
    [
      'too much data',
      npy(header('|u1', '1,'), [1, 2]),
      /damaged: .* needs 1 bytes of data, but it has 2/,
    ],
    ['a huge shape', npy(header('|u1', '99999999999, 99999999999'), [1]), /incomplete/],
    ['objects', npy(header('|O', '1,'), [1]), /elements of type '\|O'; save it as float32/],
    ['complex numbers', npy(header('<c8', '1,'), new Float32Array(2)), /elements of type '<c8'/],
    [
      'a record',
      npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", [1]),
      /elements of type \[\('a'/,
    ],
    ['no dictionary', npy('hello', [1]), /header that cannot be understood: "hello"/],
    [
      'a shape that makes a pattern backtrack',
      npy(header('|u1', `${'1'.repeat(4000)}x`), [1]),
      /header that cannot be understood/,
    ],
    [
      'a shape of too many axes',
      npy(header('|u1', '1,'.repeat(5000)), [1]),
      /cannot be understood/,
    ],
    ['sizes that are not whole', npy(header('|u1', '1.5, 2'), [1]), /cannot be understood/],
    [
      'control characters',
      npy('\u001b]0;title\u0007', [1]),
      /cannot be understood: "\\u001b\]0;title\\u0007"/,
    ],
  ])('refuses %s in one sentence', (_what, bytes, message) => {
    expect(() => decodeNpy(bytes, 'map.npy')).toThrow(message);
    try {
      decodeNpy(bytes, 'map.npy');
    } catch (error) {
      expect(error).toBeInstanceOf(FoveaError);
      expect((error as FoveaError).code).toBe('usage');
      expect((error as Error).message).not.toContain('\n');
    }
  });
});
