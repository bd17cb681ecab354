import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readBytes } from '../onnx/fixtures/shared-models.ts';
import { readModel, writeModel } from '../onnx/index.ts';
import { createNodeRuntime } from '../runtime/onnxruntime-node.ts';
import { decodeNpy } from '../tensor/npy.ts';
import { gradientModel } from './complete.ts';
import { relativeError } from './fixtures/cases.ts';

const models = '../shared/models/mobilenet_v2.onnx';
const references = '../shared/reference';
const present = existsSync(models) && existsSync(`${references}/pixel/cases.json`);
if (!present) console.warn(`${references} has no recorded gradients: their tests are skipped`);

interface Reference {
  case: string;
  model: string;
  target: number;
  arrays: Record<string, { file: string; scale?: number }>;
}

describe.skipIf(!present)('gradientModel on a network with real weights', () => {
  const { cases } = present
    ? (JSON.parse(readFileSync(`${references}/pixel/cases.json`, 'utf8')) as { cases: Reference[] })
    : { cases: [] };
  const first = [
    cases.find(({ model }) => model === 'mobilenet_v2'),
    cases.find(({ model }) => model === 'squeezenet'),
  ].flatMap((item) => item ?? []);
  const named = first.map((item) => [item.model, item] as const);
  it.each(named)('agrees with the recorded gradients of %s', async (name, item) => {
    const model = readModel(readBytes(`../shared/models/${name}.onnx`));
    const [input, output] = [model.graph.inputs[0].name, model.graph.outputs[0].name];
    const {
      model: backward,
      cotangent,
      gradients,
    } = gradientModel(model, { of: output, wrt: [input] });
    const x = decodeNpy(readBytes(`${references}/inputs/${name}_${item.case}_input.npy`)).data;
    const seed = new Float32Array(1000).map((_, i) => Number(i === item.target));
    const session = await (await createNodeRuntime({ threads: 1 })).createSession(
      writeModel(backward),
    );
    const results = await session.run({
      [input]: { type: 'float32', data: Float32Array.from(x), shape: [1, 3, 224, 224] },
      [cotangent]: { type: 'float32', data: seed, shape: [1, 1000] },
    });
    await session.release();
    const got = results[gradients.get(input) ?? ''].data as Float32Array;
    const { file, scale = 1 } = item.arrays.gradient;
    const wanted = Float64Array.from(
      decodeNpy(readBytes(`${references}/pixel/${file}`)).data,
      (value) => value * scale,
    );
    const pixels = 224 * 224;
    const summed = Float64Array.from(
      { length: pixels },
      (_, i) => got[i] + got[i + pixels] + got[i + 2 * pixels],
    );
    expect(relativeError(wanted.length === pixels ? summed : got, wanted)).toBeLessThan(1e-3);
  });
});
