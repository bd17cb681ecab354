import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/tensor/tensor.ts';

/** The message of the error that an expectation throws. */
function failure(check: () => void): string {
  try {
    check();
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  throw new Error('the expectation held');
}

describe('toBeAllClose', () => {
  const square = tensor([2, 2], Float32Array.of(1, 2, 3, 4));

  it('takes tensors, typed arrays, arrays, nested arrays and numbers', () => {
    expect(square).toBeAllClose([
      [1, 2],
      [3, 4],
    ]);
    expect(square).toBeAllClose(Float64Array.of(1, 2, 3, 4));
    expect([1, 2, 3, 4]).toBeAllClose(square);
    expect([square, square]).toBeAllClose(
      tensor([2, 2, 2], Float32Array.of(1, 2, 3, 4, 1, 2, 3, 4)),
    );
    expect(3).toBeAllClose(3 + 1e-7);
    expect([]).toBeAllClose(new Float32Array(0));
  });

  it('allows atol + rtol · |expected|', () => {
    expect([100.05]).toBeAllClose([100], { rtol: 1e-3, atol: 0 });
    expect([100.2]).not.toBeAllClose([100], { rtol: 1e-3, atol: 0 });
    expect([0.01]).toBeAllClose([0], { rtol: 0, atol: 0.011 });
    expect([0.01]).not.toBeAllClose([0], { rtol: 1, atol: 0 });
  });

  it('compares norms with l2', () => {
    expect([10, 1]).toBeAllClose([10, 0], { l2: 0.11 });
    expect([10, 1]).not.toBeAllClose([10, 0], { l2: 0.09 });
    expect([0, 0]).toBeAllClose([0, 0], { l2: 0 });
  });

  it('is never close to NaN, and to an infinite value only if it is the same', () => {
    for (const tolerance of [{}, { l2: 1 }]) {
      expect([Number.NaN]).not.toBeAllClose([Number.NaN], tolerance);
      expect([Number.NaN, 1]).not.toBeAllClose([0, 1], tolerance);
    }
    expect([Number.POSITIVE_INFINITY]).toBeAllClose([Number.POSITIVE_INFINITY]);
    expect([1]).not.toBeAllClose([Number.POSITIVE_INFINITY]);
  });

  it('reports the largest difference, its place and the shapes', () => {
    const moved = tensor([2, 2], Float32Array.of(1, 2.5, 3, 4.25));
    const message = failure(() => expect(moved).toBeAllClose(square, { rtol: 0.01 }));
    expect(message).toContain('rtol 0.01, atol 0.000001');
    expect(message).toContain('shapes [2, 2] and [2, 2]');
    expect(message).toContain('2 of 4 values differ too much');
    expect(message).toContain('largest difference 0.5000 at [0, 1]: 2.5, expected 2');
  });

  it('distinguishes shapes', () => {
    expect(failure(() => expect(square).toBeAllClose(tensor([1, 4], square.data)))).toBe(
      'expected shape [1, 4], got [2, 2]',
    );
    expect(failure(() => expect(square).toBeAllClose([1, 2, 3]))).toBe(
      'expected shape [3], got [2, 2]',
    );
  });

  it('refuses what has no numbers', () => {
    const text: unknown = 'text';
    expect(failure(() => expect(square).toBeAllClose(text as number))).toBe(
      'toBeAllClose: text has no numbers',
    );
    // @ts-expect-error a text does not compile
    expect(failure(() => expect('text').toBeAllClose([1]))).toContain('has no numbers');
  });
});
