import { describe, expect, it } from 'vitest';
import type { FoveaError } from '../../errors.ts';
import { explain } from '../../explain.ts';
import { type GraphBuilder, graphBuilder } from '../../onnx/index.ts';
import {
  branches,
  CHANNELS,
  createLoader,
  gradients,
  normal,
  SIDE,
} from '../fixtures/small-network.ts';

const load = createLoader();

/** Reads the shape of feature maps that inference does not know. */
const shaped = (b: GraphBuilder, x: string) =>
  b.add('Reshape', [
    x,
    b.constant([-1n, BigInt(CHANNELS), BigInt(SIDE), BigInt(SIDE)], [4], 'int64'),
  ]);

/**
 * Parts of a network that cannot be differentiated: the nodes that compute them from x, and the
 * error.
 */
const refusals: Record<
  string,
  { readonly says: RegExp; readonly build: (b: GraphBuilder, x: string) => string }
> = {
  If: {
    says: /the If node "stop": the data decide which branch runs; export .* control flow;/,
    build: (b, x) => b.add('If', [b.constant([1], [], 'bool')], branches(x), 'stop'),
  },
  Loop: {
    says: /the Loop node "stop": the data decide how often it repeats a graph; .* control flow;/,
    build: (b, x) =>
      shaped(
        b,
        b.add('Loop', [b.constant([2n], [], 'int64'), '', x], { body: loopBody() }, 'stop'),
      ),
  },
  Scan: {
    says: /the Scan node "stop": the data decide how often/,
    build: (b, x) =>
      shaped(b, b.add('Scan', [x], { body: scanBody(), num_scan_inputs: 1 }, 'stop')),
  },
  'a domain of its own': {
    says: /the com.microsoft:Inverse node "stop": Fovea has no gradient rule for this operator;/,
    build: (b, x) => shaped(b, b.add('Inverse', [x], {}, 'stop', { domain: 'com.microsoft' })),
  },
  'an operator without a gradient': {
    says: /the Compress node "stop": the elements that it keeps are known only when the model runs;/,
    build: (b, x) =>
      b.add('Compress', [x, b.constant([1, 1, 1, 1], [4], 'bool')], { axis: 1 }, 'stop'),
  },
  QLinearConv: {
    says: /the QLinearConv node "stop": integer arithmetic has no gradient; use .* QuantizeLinear/,
    build(b, x) {
      const [scale, zero] = [b.constant([0.05], []), b.constant([128], [], 'uint8')];
      const weights = b.constant(
        new Array<number>(CHANNELS * CHANNELS).fill(1),
        [CHANNELS, CHANNELS, 1, 1],
        'uint8',
      );
      const q = b.add('QuantizeLinear', [x, scale, zero]);
      return b.add('DequantizeLinear', [
        b.add(
          'QLinearConv',
          [q, scale, zero, weights, scale, b.constant([0], [], 'uint8'), scale, zero],
          {},
          'stop',
        ),
        scale,
        zero,
      ]);
    },
  },
  'ConvInteger and DynamicQuantizeLinear': {
    says: /the ConvInteger node "conv": integer arithmetic has no gradient/,
    build(b, x) {
      const weights = b.constant(
        new Array<number>(CHANNELS * CHANNELS).fill(1),
        [CHANNELS, CHANNELS, 1, 1],
        'uint8',
      );
      const [q, , zero] = b.add('DynamicQuantizeLinear', [x], {}, [
        'stop',
        'stop/scale',
        'stop/zero',
      ]);
      return b.add('Cast', [b.add('ConvInteger', [q, weights, zero], {}, 'conv')], { to: 1 });
    },
  },
  MatMulInteger: {
    says: /the MatMulInteger node "stop": integer arithmetic has no gradient/,
    build(b, x) {
      const q = b.add('QuantizeLinear', [
        x,
        b.constant([0.05], []),
        b.constant([128], [], 'uint8'),
      ]);
      const weights = b.constant(new Array<number>(SIDE * SIDE).fill(1), [SIDE, SIDE], 'uint8');
      return b.add('Cast', [b.add('MatMulInteger', [q, weights], {}, 'stop')], { to: 1 });
    },
  },
};

describe('a network that cannot be differentiated', () => {
  it.each(Object.entries(refusals))(
    'with %s: the error names the node, and other methods still work',
    async (_, { says, build }) => {
      const model = await load({
        activation: (b, x) =>
          b.add('Relu', [build(b, b.add('Identity', [x], {}, 'early'))], {}, 'features'),
      });
      const error: FoveaError = await gradients(model).then(
        () => undefined,
        (reason) => reason,
      );
      expect(error).toMatchObject({ name: 'FoveaError', code: 'unsupported' });
      expect(error.message).toMatch(/^net: the model cannot be differentiated at /);
      expect(error.message).toMatch(says);
      expect(error.message).toMatch(/; methods that need no gradients still work$/);
      expect(error.message).not.toContain('\n');
      // What still works: scores, inner tensors, and the gradients behind the node.
      const { scores } = await gradients(model, { wrt: [] });
      expect(scores.data.every(Number.isFinite)).toBe(true);
      const {
        gradients: [gradient],
      } = await gradients(model, { wrt: ['features'] });
      expect(gradient.data[0]).not.toBe(0);
      await expect(
        explain(model, normal(1, 3, SIDE, SIDE), { method: 'gradient' }),
      ).rejects.toThrow(says);
      const { map } = await explain(model, normal(1, 3, SIDE, SIDE), {
        method: 'occlusion',
        options: { window: 3, stride: 3 },
      });
      expect(map.data.length).toBe(SIDE * SIDE);
    },
  );
});

/** A Loop's body that halves what it carries. */
function loopBody() {
  const b = graphBuilder({ opset: 13, name: 'loop' });
  b.input('i', 'int64', []);
  b.output(b.add('Identity', [b.input('go', 'bool', [])], {}, 'on'), 'bool', []);
  b.output(
    b.add('Mul', [b.input('carried', 'float32', null), b.constant(0.5)], {}, 'halved'),
    'float32',
    null,
  );
  return b.finish();
}

/** A Scan's body that halves each picture. */
function scanBody() {
  const b = graphBuilder({ opset: 13, name: 'scan' });
  b.output(
    b.add('Mul', [b.input('one', 'float32', null), b.constant(0.5)], {}, 'halved'),
    'float32',
    null,
  );
  return b.finish();
}
