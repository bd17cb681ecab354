import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '../../model/model.ts';
import { createOnnxModel, type OnnxModelSource } from '../../model/onnx-model.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { createRandom } from '../../tensor/random.ts';
import { differencesOf, disagreements } from './checked-model.ts';
import { relativeDistance, type Sample, sampleOf } from './compare-models.ts';
import { faulty } from './fixtures/faulty.ts';
import { withDevice } from './with-device.ts';

describe('the sample of a model', () => {
  let source: OnnxModelSource;
  let runtime: Runtime;
  let model: Model;
  let expected: Sample & { target: number };

  beforeAll(async () => {
    const bytes = await readFile(new URL('../../demo/models/demo-cnn.onnx', import.meta.url));
    source = { name: 'demo', bytes };
    runtime = await createNodeRuntime({ threads: 1 });
    model = await createOnnxModel(source, runtime);
    expected = await sampleOf(model);
  });

  /** What a device with a fault computes otherwise. */
  async function wrongWith(alter: Parameters<typeof faulty>[1]) {
    const other = await createOnnxModel(source, faulty(runtime, alter));
    const found = await sampleOf(other, expected.target);
    await other.dispose();
    return disagreements(differencesOf(found, expected));
  }

  it('is the same every time, and shows scores, altered copies and a gradient', async () => {
    const again = await sampleOf(model, expected.target);
    const differences = differencesOf(again, expected);
    expect(Object.keys(differences)).toEqual(['scores', 'altered copies', 'gradient']);
    expect(disagreements(differences)).toEqual([]);
    expect(new Set(expected.copies).size).toBe(8);
    expect(again.seconds).toBeGreaterThan(0);
  });

  it('differs on a device that computes wrong scores', async () => {
    const larger = await wrongWith(({ data }) => {
      if (data instanceof Float32Array)
        for (const i of data.keys()) data[i] = (data[i] ?? 0) * 1.02;
    });
    expect(larger).toEqual(['scores', 'altered copies', 'gradient']);
  });

  it('is right on a device that computes one picture of a batch: the model runs one by one', async () => {
    const single = await wrongWith(({ shape: [rows = 1], data }) => {
      if (rows > 1) data.fill(0 as never, data.length / rows);
    });
    expect(single).toEqual([]);
  });

  it('says the device of a model and of its random copies', async () => {
    const device = { device: 'wasm', reason: 'it is the only one' } as const;
    const checked = withDevice(model, device);
    const [layer = ''] = (await checked.inside?.weightLayers()) ?? [];
    const random = await checked.inside?.randomized([layer], createRandom(0));
    expect([checked.device, random?.device]).toEqual([device, device]);
    await random?.dispose();
    await model.dispose();
  });
});

it('relativeDistance is |a - b| / |b|', () => {
  expect(relativeDistance(Float32Array.of(3, 5), Float32Array.of(3, 4))).toBeCloseTo(1 / 5, 6);
  expect(relativeDistance(Float32Array.of(1), Float32Array.of(1, 2))).toBe(
    Number.POSITIVE_INFINITY,
  );
  expect(relativeDistance(Float32Array.of(Number.NaN, 2), Float32Array.of(1, 2))).toBe(
    Number.POSITIVE_INFINITY,
  );
});
