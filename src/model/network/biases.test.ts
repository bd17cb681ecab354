import { describe, expect, it } from 'vitest';
import { type GraphBuilder, graphBuilder } from '../../onnx/index.ts';
import { findBiases } from './biases.ts';

const values = [0.5, -0.25, 0.75];

/** The biases of conv(x) with a bias that `build` adds, of a picture [n, 2, 4, 4]. */
function biasesOf(build: (b: GraphBuilder, x: string, w: string) => string, opset = 17) {
  const b = graphBuilder({ opset });
  const x = b.input('x', 'float32', ['n', 2, 4, 4]);
  b.add('Relu', [build(b, x, b.constant(new Float32Array(6).fill(1), [3, 2, 1, 1]))], {}, 'y');
  b.output('y');
  return findBiases(b.finish(), 'x').map(({ bias }) => [...bias]);
}

const conv = (b: GraphBuilder, ...inputs: string[]): string => b.add('Conv', inputs);

describe('findBiases', () => {
  it.each<[string, (b: GraphBuilder, x: string, w: string) => string]>([
    ['in the Conv', (b, x, w) => conv(b, x, w, b.constant(values, [3]))],
    [
      'in an Add of [C, 1, 1]',
      (b, x, w) => b.add('Add', [conv(b, x, w), b.constant(values, [3, 1, 1])]),
    ],
    [
      'in an Add of [1, C, 1, 1]',
      (b, x, w) => b.add('Add', [b.constant(values, [1, 3, 1, 1]), conv(b, x, w)]),
    ],
    [
      'in a Sub',
      (b, x, w) =>
        b.add('Sub', [
          conv(b, x, w),
          b.constant(
            values.map((v) => -v),
            [3, 1, 1],
          ),
        ]),
    ],
    [
      'in an Add of [C] that is reshaped',
      (b, x, w) => {
        const shape = b.constant(BigInt64Array.of(1n, -1n, 1n, 1n), [4]);
        return b.add('Add', [conv(b, x, w), b.add('Reshape', [b.constant(values, [3]), shape])]);
      },
    ],
    [
      'in codes with one scale',
      (b, x, w) => {
        const q = b.constant([2, -1, 3], [3], 'int32');
        return conv(b, x, w, b.add('DequantizeLinear', [q, b.constant([0.25], [])]));
      },
    ],
    [
      'in codes with a scale for each channel',
      (b, x, w) => {
        const q = b.constant([1, -1, 3], [3], 'int32');
        const scales = b.constant([0.5, 0.25, 0.25], [3]);
        return conv(b, x, w, b.add('DequantizeLinear', [q, scales], { axis: 0 }));
      },
    ],
  ])('finds a bias %s', (_, build) => {
    expect(biasesOf(build)).toEqual([values]);
  });

  it('does not take the constants of an activation for biases', () => {
    const gate = (b: GraphBuilder, x: string, w: string): string => {
      const z = conv(b, x, w);
      const open = b.add('Clip', [
        b.add('Add', [z, b.constant([3], [])]),
        b.constant([0], []),
        b.constant([6], []),
      ]);
      return b.add('Mul', [z, open]);
    };
    expect(biasesOf(gate)).toEqual([]);
  });
});
