import { InferenceSession, Tensor } from 'onnxruntime-node';
import * as web from 'onnxruntime-web/wasm';
import { describe, expect, it } from 'vitest';
import type { Feeds } from '../onnx/fixtures/run.ts';
import { readBytes } from '../onnx/fixtures/shared-models.ts';
import { type OnnxModel, readModel, writeModel } from '../onnx/index.ts';
import { gradientModel } from './complete.ts';
import {
  caseFeeds,
  caseModel,
  differentiable,
  floatsOf,
  readCases,
  relativeError,
} from './fixtures/cases.ts';

web.env.wasm.numThreads = 1;
web.env.logLevel = 'fatal';

/** Runs a model in WebAssembly and in Node, each with the default optimisations. */
async function both(
  model: OnnxModel,
  feeds: Feeds,
): Promise<[name: string, web: Float32Array, node: Float32Array][]> {
  const bytes = writeModel(model);
  const node = await InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 4 });
  const wasm = await web.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, { type, data, dims }]) => [
      name,
      new web.Tensor(type as 'float32', data as Float32Array, dims),
    ]),
  );
  const [wanted, got] = [await node.run(feeds), await wasm.run(tensors)];
  await Promise.all([node.release(), wasm.release()]);
  return model.graph.outputs.map(({ name }) => [
    name,
    got[name].data as Float32Array,
    wanted[name].data as Float32Array,
  ]);
}

describe('gradients in WebAssembly', () => {
  const families = [
    'convolution',
    'pooling',
    'activation',
    'elementwise',
    'linalg',
    'normalization',
    'reduction',
    'movement',
    'indexing',
    'fused',
  ];
  it.each(families)('equal those in Node for every rule: %s', async (family) => {
    for (const [i, item] of readCases(family).entries()) {
      // Each case runs at one of its opsets. Over all cases, all opsets are used.
      const opset = item.opsets[i % item.opsets.length];
      const { model, cotangent } = gradientModel(caseModel(item, opset, item.batch), {
        of: 'y',
        wrt: differentiable(item),
        outputs: ['y'],
      });
      const feeds = {
        ...caseFeeds(item),
        [cotangent]: new Tensor('float32', floatsOf(item.cotangent), item.y.shape),
      };
      const title = `${item.op} ${item.name} at opset ${opset}`;
      const results = await both(model, feeds).catch((error: Error) =>
        expect.fail(`${title}: ${error.message}`),
      );
      for (const [name, got, wanted] of results)
        expect(relativeError(got, wanted), `${title}: ${name}`).toBeLessThan(1e-5);
    }
  });

  it.each(['convnext', 'densenet', 'mobilenet-v2', 'swin', 'vit-16'])(
    'equal those in Node for a tiny %s',
    async (network) => {
      const model = readModel(
        readBytes(new URL(`./fixtures/networks/${network}.onnx`, import.meta.url).pathname),
      );
      const [{ name, shape }] = model.graph.inputs;
      const dims = [2, ...(shape ?? []).slice(1).map(Number)];
      const count = dims.reduce((product, size) => product * size, 1);
      const input = new Tensor(
        'float32',
        new Float32Array(count).map((_, i) => Math.sin(0.7 * i + Math.sin(0.01 * i))),
        dims,
      );
      const { model: backward, cotangent } = gradientModel(model, {
        of: 'scores',
        wrt: [name],
        outputs: ['scores'],
      });
      const dy = new Tensor(
        'float32',
        new Float32Array(10).map((_, i) => Math.cos(i)),
        [2, 5],
      );
      for (const [output, got, wanted] of await both(backward, {
        [name]: input,
        [cotangent]: dy,
      })) {
        expect(relativeError(got, wanted), output).toBeLessThan(1e-5);
      }
    },
  );
});
