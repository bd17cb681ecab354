import { beforeAll, describe, expect, it } from 'vitest';
import { FoveaError } from '../../errors.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { createWebRuntime } from '../../runtime/onnxruntime-web.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { faulty } from './fixtures/faulty.ts';
import { compareDevices, largestDifference, TOLERANCE, wrongOnes } from './self-test.ts';
import { testGraphs } from './test-graphs.ts';

const names = testGraphs.map(({ name }) => name);

describe('compareDevices', () => {
  let reference: Runtime;
  let native: Runtime;

  beforeAll(async () => {
    reference = await createWebRuntime({ threads: 1 });
    native = await createNodeRuntime({ threads: 1 });
  });

  it('runs all graphs on two devices that are right', async () => {
    const differences = await compareDevices({ device: native, reference });
    expect(Object.keys(differences)).toEqual(names);
    expect(wrongOnes(differences)).toEqual([]);
    for (const difference of Object.values(differences)) expect(difference).toBeLessThan(1e-5);
  });

  it('finds a device that computes only the first picture of a batch', async () => {
    const device = faulty(native, ({ shape: [rows = 1], data }) => {
      if (rows > 1) data.fill(0 as never, data.length / rows);
    });
    expect(wrongOnes(await compareDevices({ device, reference }))).toEqual([
      'a batch of 3',
      'MatMul of many matrices',
      'activations',
      'Conv backward',
      'LayerNormalization backward',
      'Softmax backward',
      'MaxPool backward',
      'AveragePool backward',
    ]);
  });

  it('finds one wrong value in each graph, NaN, and a device that fails', async () => {
    const graphs = testGraphs.slice(0, 3);
    const off = faulty(native, ({ data }) => {
      if (data instanceof Float32Array) data[data.length - 1] = (data.at(-1) ?? 0) + 0.01 * 5;
    });
    const nan = faulty(native, ({ data }) => void data.fill(Number.NaN as never, 0, 1));
    const failing: Runtime = {
      ...native,
      createSession: () => Promise.reject(new FoveaError('runtime', 'no shader')),
    };
    const first = names.slice(0, 3);
    const found = await compareDevices({ device: off, reference, graphs });
    expect(wrongOnes(found)).toEqual(first);
    expect(await compareDevices({ device: nan, reference, graphs })).toEqual(
      Object.fromEntries(first.map((name) => [name, 'not a number'])),
    );
    expect(await compareDevices({ device: failing, reference, graphs })).toEqual(
      Object.fromEntries(first.map((name) => [name, 'no shader'])),
    );
  });
});

describe('largestDifference', () => {
  it('is relative to the largest value of the reference', () => {
    expect(largestDifference([1, 2, -8.5], [1, 2, -8])).toBeCloseTo(0.5 / 8, 12);
    expect(largestDifference([0, 0], [0, 0])).toBe(0);
  });

  it('is infinite if a value is missing or is not a number', () => {
    expect(largestDifference([1], [1, 2])).toBe(Number.POSITIVE_INFINITY);
    expect(largestDifference([1, Number.NaN], [1, 2])).toBe(Number.POSITIVE_INFINITY);
  });

  it('goes wrong above the tolerance, and only there', () => {
    expect(wrongOnes({ a: TOLERANCE, b: 1.1 * TOLERANCE, c: 'failed' })).toEqual(['b', 'c']);
  });
});
