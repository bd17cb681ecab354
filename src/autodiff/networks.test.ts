import { readdirSync, readFileSync } from 'node:fs';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { runModel } from '../onnx/fixtures/run.ts';
import { readBytes } from '../onnx/fixtures/shared-models.ts';
import { readModel, writeModel } from '../onnx/index.ts';
import { gradientModel } from './complete.ts';
import { floatsOf, relativeError } from './fixtures/cases.ts';
import { loadGradientModel } from './gradient-model.ts';

/** The record of scripts/make-autodiff-networks.py. */
interface Reference {
  readonly opset: number;
  readonly shape: readonly number[];
  readonly scores: string;
  readonly gradient: string;
}

const folder = new URL('./fixtures/networks/', import.meta.url);
const names = readdirSync(folder).flatMap((file) =>
  file.endsWith('.onnx') ? [file.replace('.onnx', '')] : [],
);

describe('gradientModel on tiny networks', () => {
  it.each(names)('agrees with PyTorch in float64 on %s', async (name) => {
    const reference: Reference = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
    const model = readModel(readBytes(new URL(`${name}.onnx`, folder).pathname));
    const count = reference.shape.reduce((product, size) => product * size, 1);
    const input = new Tensor(
      'float32',
      Float32Array.from({ length: count }, (_, i) => Math.sin(0.7 * i + Math.sin(0.01 * i))),
      reference.shape,
    );
    const dy = new Tensor(
      'float32',
      Float32Array.from({ length: 10 }, (_, i) => Math.cos(i)),
      [2, 5],
    );
    const {
      model: backward,
      cotangent,
      gradients,
    } = gradientModel(model, { of: 'scores', wrt: ['input'], outputs: ['scores'] });
    // A mask or a class token may need the batch size. The backward pass never needs it.
    const shapes = backward.graph.nodes.filter(
      ({ name: node, opType }) => node.startsWith('grad/') && opType === 'Shape',
    );
    expect(shapes).toEqual([]);
    const results = await runModel(backward, { input, [cotangent]: dy });
    expect(
      relativeError(results.scores.data as Float32Array, floatsOf(reference.scores)),
    ).toBeLessThan(1e-4);
    expect(
      relativeError(
        results[gradients.get('input') ?? ''].data as Float32Array,
        floatsOf(reference.gradient),
      ),
    ).toBeLessThan(1e-4);
  });
});

describe('loadGradientModel on tiny networks', () => {
  it.each(names)('returns the same model of %s as gradientModel', async (name) => {
    const model = readModel(readBytes(new URL(`${name}.onnx`, folder).pathname));
    const task = { of: 'scores', wrt: ['input'], outputs: ['scores'] };
    const loaded = await loadGradientModel(model, task);
    const whole = gradientModel(model, task);
    expect(Buffer.compare(writeModel(loaded.model), writeModel(whole.model))).toBe(0);
    expect(loaded.gradients).toEqual(whole.gradients);
  });
});
