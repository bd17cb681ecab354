import { describe, expect, it } from 'vitest';
import { randomTensor, runModel } from './fixtures/run.ts';
import { readBytes, sharedModels } from './fixtures/shared-models.ts';
import { smallModel } from './fixtures/small-model.ts';
import type { Shape } from './graph.ts';
import {
  compose,
  type GraphBuilder,
  graphBuilder,
  modelOf,
  type OnnxModel,
  readModel,
} from './index.ts';

const model = smallModel();
const x = randomTensor([2, 3, 8, 8]);

/**
 * A stage that computes 2 * x + 1 from `input` to `output`. Its names collide with those of the
 * small model.
 */
function affine(
  input = 'x',
  output = 'conv',
  opset = 17,
  shape: Shape = ['batch', 3, null, null],
): OnnxModel {
  const b = graphBuilder({ opset, name: 'affine' });
  const y = b.add(
    'Mul',
    [b.input(input, 'float32', shape), b.constant(2, [], 'float32', 'conv.weight')],
    {},
    'relu',
  );
  b.output(b.add('Add', [y, b.constant(1)], {}, output), 'float32', shape);
  return modelOf(b.finish());
}

function softmax(build: (b: GraphBuilder, y: string) => void = () => {}): OnnxModel {
  const b = graphBuilder({ opset: 17, name: 'softmax' });
  const y = b.add('Softmax', [b.input('logits', 'float32', ['batch', 'classes'])], {}, 'y');
  b.output(y, 'float32', ['batch', 'classes']);
  build(b, y);
  return modelOf(b.finish());
}

const byHand = (data: Float32Array): Float32Array =>
  data.map((v) => Math.fround(Math.fround(2 * v) + 1));

async function logitsByHand(): Promise<Float32Array> {
  const changed = randomTensor([2, 3, 8, 8]);
  (changed.data as Float32Array).set(byHand(x.data as Float32Array));
  return (await runModel(model, { x: changed })).logits.data as Float32Array;
}

describe('compose', () => {
  it('puts a stage before a model with colliding names', async () => {
    const composed = compose(affine(), model, { x: 'conv' });
    expect(composed.graph.inputs.map((info) => info.name)).toEqual(['stage/x']);
    expect(composed.graph.outputs.map((info) => info.name)).toEqual(['logits']);
    expect(composed.graph.name).toBe('small');
    expect(composed.graph.initializers.get('conv.weight')).toBe(
      model.graph.initializers.get('conv.weight'),
    );
    const { logits } = await runModel(composed, { 'stage/x': x });
    expect(logits.data).toEqual(await logitsByHand());
    const names = composed.graph.nodes.map((node) => node.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('keeps the names of the stage if it is the main model', async () => {
    const composed = compose(
      affine('image', 'scaled'),
      model,
      { x: 'scaled' },
      { main: 'first', prefix: 'net/' },
    );
    const { logits } = await runModel(composed, { image: x });
    expect(logits.data).toEqual(await logitsByHand());
    expect(composed.graph.initializers.has('net/conv.weight')).toBe(true);
  });

  it('appends a stage with its own inputs and outputs to a model', async () => {
    const stage = softmax((b, y) => {
      b.output(
        b.add('Mul', [y, b.input('weights', 'float32', ['batch', 'classes'])], {}, 'weighted'),
        'float32',
      );
    });
    const composed = compose(model, stage, { logits: 'logits' });
    expect(composed.graph.inputs.map((info) => info.name)).toEqual(['x', 'weights']);
    expect(composed.graph.outputs.map((info) => info.name)).toEqual(['y', 'weighted']);
    const { y } = await runModel(composed, { x, weights: randomTensor([2, 5]) });
    expect((y.data as Float32Array).reduce((sum, p) => sum + p, 0)).toBeCloseTo(2, 5);
  });

  it('keeps outputs that are not connected', () => {
    const b = graphBuilder({ extend: affine('image', 'scaled').graph });
    b.output('relu', 'float32');
    const composed = compose(modelOf(b.finish()), model, { x: 'scaled' });
    expect(composed.graph.outputs.map((info) => info.name)).toEqual(['logits', 'stage/relu']);
  });

  it('keeps functions and metadata, and the higher IR version', () => {
    const bytes = Uint8Array.of(10, 1, 102);
    const main = {
      ...model,
      irVersion: 9,
      metadata: new Map([['a', '1']]),
      functions: [{ domain: 'own', name: 'f', bytes }],
    };
    const stage = {
      ...affine(),
      metadata: new Map([
        ['a', '2'],
        ['b', '3'],
      ]),
    };
    const composed = compose(stage, main, { x: 'conv' });
    expect(Object.fromEntries(composed.metadata)).toEqual({ a: '1', b: '3' });
    expect(composed.functions).toEqual(main.functions);
    expect(composed.irVersion).toBe(9);
    const other = {
      ...stage,
      functions: [{ domain: 'own', name: 'f', bytes: Uint8Array.of(10, 1, 103) }],
    };
    expect(() => compose(other, main, { x: 'conv' })).toThrow(
      'define the function own:f differently',
    );
  });

  it('reports names, types and operator sets that do not match', () => {
    expect(() => compose(affine('x', 'conv', 13), model, { x: 'conv' })).toThrow(
      'different versions of the ONNX operators: 13 and 17',
    );
    expect(() => compose(affine(), model, { y: 'conv' })).toThrow(
      'the second model has no input "y". The nearest names are "x"',
    );
    expect(() => compose(affine(), model, { x: 'convs' })).toThrow(
      'the first model has no output "convs"',
    );
    expect(() => compose(model, model, { x: 'logits' })).toThrow(
      'the output "logits" is float32[batch, 5], but the input "x" takes float32[batch, 3, 8, 8]',
    );
  });

  const paths = sharedModels().filter((path) => path.includes('models/'));
  it.skipIf(paths.length === 0).each(paths)('puts a stage before %s', async (path) => {
    const real = readModel(readBytes(path));
    const [input] = real.graph.inputs;
    const stage = affine('pixels', 'scaled', real.graph.opset.get(''), input.shape ?? undefined);
    const composed = compose(stage, real, { [input.name]: 'scaled' });
    const image = randomTensor([1, ...(input.shape?.slice(1).map(Number) ?? [])]);
    const scaled = randomTensor(image.dims);
    (scaled.data as Float32Array).set(byHand(image.data as Float32Array));
    const output = real.graph.outputs[0].name;
    const [got, wanted] = [
      await runModel(composed, { pixels: image }),
      await runModel(real, { [input.name]: scaled }),
    ];
    expect(got[output].data).toEqual(wanted[output].data);
  });
});
