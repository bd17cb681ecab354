import { describe, expect, it } from 'vitest';
import {
  activations,
  channels,
  classes,
  heads,
  layers,
  numbers,
  type Spelling,
  weights,
} from '../../autodiff/fixtures/spellings.ts';
import { explain } from '../../explain.ts';
import { IMAGENET_PREPROCESSING } from '../../model/input/preprocessing.ts';
import type { Model } from '../../model/model.ts';
import { createOnnxModel } from '../../model/onnx-model.ts';
import { randomTensor } from '../../onnx/fixtures/run.ts';
import { graphBuilder, modelOf, writeModel } from '../../onnx/index.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { extent } from '../../tensor/statistics.ts';
import { tensor } from '../../tensor/tensor.ts';
import { methods } from '../index.ts';

// Methods that search the graph for biases and layers must find the same ones in any spelling of
// the graph.

const SIDE = 8;
const picture = tensor([1, 3, SIDE, SIDE], randomTensor([192], 11).data as Float32Array);

/** A network: convolution → the tested function → convolution of stride 2 → ReLU → head. */
async function load({ build, opset }: Spelling, isHead: boolean): Promise<Model> {
  const b = graphBuilder({ opset: { '': opset, 'com.microsoft': 1 } });
  const x = b.input('x', 'float32', ['n', 3, SIDE, SIDE]);
  const bias = b.constant(numbers(channels, 2), [channels]);
  const around = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const first = b.add('Conv', [x, weights(b, 1, 3), bias], around);
  const inside = isHead ? b.add('Relu', [first]) : build(b, first);
  const strided = { ...around, strides: [2, 2] };
  const second = b.add('Relu', [b.add('Conv', [inside, weights(b, 4)], strided)], {}, 'features');
  const head = isHead ? build : heads.head?.[0]?.build;
  b.add('Identity', [head?.(b, second) ?? ''], {}, 'y');
  b.output('y', 'float32', ['n', classes]);
  const preprocessing = { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] as const };
  const source = { name: 'net', bytes: writeModel(modelOf(b.finish())), preprocessing };
  return createOnnxModel(source, await createNodeRuntime({ threads: 1 }));
}

const groups = Object.entries({ ...activations, ...layers, ...heads });
const asked = [
  ['fullgrad', {}],
  ['iia', { steps: 2 }],
  ['grad-cam', {}],
] as const;

describe.each(groups)('%s, in any spelling', (group, [first, ...others]) => {
  it.each(asked)('gives one map by %s', async (name, options) => {
    const explained = async (spelling: Spelling) => {
      const model = await load(spelling, group === 'head');
      return explain(model, picture, { method: methods.get(name), options, target: 1 });
    };
    if (!first) throw new Error('no spelling');
    const { map } = await explained(first);
    const [low, high] = extent(map.data);
    const share = group === 'quantization' ? 0.15 : 1e-3;
    for (const other of others) {
      const same = await explained(other);
      expect(same.map, other.name).toBeAllClose(map, { atol: share * (high - low) });
    }
  });
});
