import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Graph,
  type GraphBuilder,
  graphBuilder,
  initializerOf,
  modelOf,
  tensorNumbers,
  writeModel,
} from '../../onnx/index.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { createRandom } from '../../tensor/random.ts';
import { sizeOf, tensor } from '../../tensor/tensor.ts';
import { createMeter } from '../meter.ts';
import type { Model } from '../model.ts';
import { createOnnxModel } from '../onnx-model.ts';
import { withRandomWeights } from './random-weights.ts';
import { weightLayersOf } from './weights.ts';

const SIDE = 6;
const source = createRandom(3);
const normal = (b: GraphBuilder, shape: number[], name: string) =>
  b.constant(
    Float32Array.from({ length: sizeOf(shape) }, () => source.normal()),
    shape,
    'float32',
    name,
  );

/**
 * Conv with bias, BatchNormalization, Clip, a weight behind a Transpose, one in a Constant node,
 * and a scale.
 */
function net(): Graph {
  const b = graphBuilder({ opset: 13 });
  const x = b.input('picture', 'float32', ['n', 3, SIDE, SIDE]);
  const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const conv = b.add(
    'Conv',
    [x, normal(b, [4, 3, 3, 3], 'kernel'), normal(b, [4], 'bias')],
    pads,
    'conv',
    { name: 'first' },
  );
  const variance = b.constant([0.5, 1, 2, 3], [4], 'float32', 'variance');
  const bn = b.add(
    'BatchNormalization',
    [conv, normal(b, [4], 'gamma'), normal(b, [4], 'beta'), normal(b, [4], 'mean'), variance],
    {},
    'bn',
    { name: 'bn' },
  );
  const clipped = b.add('Clip', [bn, b.constant([0], []), b.constant([6], [])]);
  const flat = b.add('Flatten', [b.add('GlobalAveragePool', [clipped])]);
  const turned = b.add('Transpose', [normal(b, [5, 4], 'turned')], { perm: [1, 0] });
  const hidden = b.add('MatMul', [flat, turned], {}, 'hidden', { name: 'middle' });
  const held = b.add(
    'Constant',
    [],
    {
      value: initializerOf(
        '',
        'float32',
        [5, 3],
        Float32Array.from({ length: 15 }, () => source.normal()),
      ),
    },
    'held',
  );
  const top = b.add('MatMul', [b.add('Mul', [hidden, b.constant([3], [1])]), held], {}, 'scores', {
    name: 'top',
  });
  b.output(top, 'float32', ['n', 3]);
  return b.finish();
}

describe('the weights of a graph', () => {
  const graph = net();

  it('are found layer by layer, without single numbers and limits', () => {
    expect(weightLayersOf(graph)).toEqual([
      { name: 'first', weights: ['kernel', 'bias'] },
      { name: 'bn', weights: ['gamma', 'beta', 'mean', 'variance'] },
      { name: 'middle', weights: ['turned'] },
      { name: 'top', weights: ['held'] },
    ]);
  });

  it('of a layer get their own values in another order; all others stay', () => {
    const drawn = withRandomWeights(graph, ['first', 'bn'], createRandom(1));
    for (const name of ['kernel', 'bias', 'gamma', 'beta', 'mean', 'variance']) {
      const [before, after] = [graph, drawn].map((g) =>
        tensorNumbers(g.initializers.get(name) as never),
      );
      expect([...after].sort()).toEqual([...before].sort());
    }
    expect(tensorNumbers(drawn.initializers.get('kernel') as never)).not.toEqual(
      tensorNumbers(graph.initializers.get('kernel') as never),
    );
    expect(drawn.initializers.get('turned')).toBe(graph.initializers.get('turned'));
    expect(drawn.nodes).toHaveLength(graph.nodes.length);
  });

  it('depend on name and seed only: they are equal alone and in a cascade', () => {
    const kernel = (layers: string[], seed: number) =>
      tensorNumbers(
        withRandomWeights(graph, layers, createRandom(seed)).initializers.get('kernel') as never,
      );
    expect(kernel(['first'], 1)).toEqual(kernel(['top', 'middle', 'bn', 'first'], 1));
    expect(kernel(['first'], 1)).not.toEqual(kernel(['first'], 2));
    expect(() => withRandomWeights(graph, ['last'], createRandom(1))).toThrow(
      'no layer "last" holds weights: expected one of first, bn, middle, top',
    );
  });

  it('keep the types they are stored in, and belong to the last layer that shares them', () => {
    const b = graphBuilder({ opset: 13 });
    const x = b.input('picture', 'float16', ['n', 4]);
    const shared = b.constant(
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
      [4, 4],
      'float16',
      'shared',
    );
    b.output(b.add('MatMul', [b.add('MatMul', [x, shared], {}, 'a'), shared], {}, 'b'), 'float16', [
      'n',
      4,
    ]);
    const twice = b.finish();
    expect(weightLayersOf(twice)).toEqual([{ name: 'b', weights: ['shared'] }]);
    const drawn = withRandomWeights(twice, ['b'], createRandom(1)).initializers.get('shared');
    expect(drawn?.type).toBe('float16');
    expect(tensorNumbers(drawn as never).sort((a, c) => a - c)).toEqual(
      Array.from({ length: 16 }, (_, i) => i + 1),
    );
  });
});

describe('a randomised model', () => {
  let model: Model;
  const batch = tensor(
    [2, 3, SIDE, SIDE],
    Float32Array.from({ length: 6 * SIDE * SIDE }, () => source.normal()),
  );
  beforeAll(async () => {
    model = await createOnnxModel(
      { name: 'net', bytes: writeModel(modelOf(net())) },
      await createNodeRuntime({ threads: 1 }),
    );
  });
  afterAll(() => model?.dispose());

  it('changes the scores, and redraws the layers above the cut only', async () => {
    const layers = (await model.inside?.weightLayers()) ?? [];
    expect(layers).toEqual(['first', 'bn', 'middle', 'top']);
    const copy = (await model.inside?.randomized(layers.slice(-1), createRandom(1))) as Model;
    const scores = async (m: Model) => (await m.classify(batch, { score: 'logit' })).data;
    expect(await scores(copy)).not.toEqual(await scores(model));
    const hidden = async (m: Model) => (await m.inside?.activations(['hidden'], batch))?.[0].data;
    expect(await hidden(copy)).toEqual(await hidden(model));
    expect(copy.fingerprint).not.toBe(model.fingerprint);
    await copy.dispose();
    expect((await scores(model)).length).toBe(6); // the original lives on
  });

  it('is metered like the model it was made from', async () => {
    const meter = createMeter();
    const metered = meter.wrap(model);
    const copy = (await metered.inside?.randomized(
      (await metered.inside?.weightLayers()) ?? [],
      createRandom(1),
    )) as Model;
    await copy.classify(batch);
    expect(meter.calls()).toEqual({ forward: 2, backward: 0 });
    await copy.dispose();
  });
});
