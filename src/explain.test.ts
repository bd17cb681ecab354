import * as v from 'valibot';
import { beforeEach, describe, expect, test } from 'vitest';
import type { FoveaErrorCode } from './errors.ts';
import { type ExplainOptions, explain, explainAll, runMethod } from './explain.ts';
import { image } from './image/image.ts';
import { gradient } from './methods/gradient.ts';
import { defineMethod, type Method } from './methods/method.ts';
import { occlusion } from './methods/occlusion.ts';
import { createFunctionModel } from './model/function-model.ts';
import { IMAGENET_PREPROCESSING } from './model/input/preprocessing.ts';
import { parseOptions } from './options.ts';
import { prepareInput } from './prepare-input.ts';
import { type Tensor, tensor } from './tensor/tensor.ts';

let calls = 0;
/** A model that shows its scores only, and counts the pictures that it sees. */
const model = createFunctionModel({
  name: 'counting',
  labels: ['a', 'b'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [8, 8] },
  output: 'probabilities',
  classify: async ({ shape: [count = 0] }) => {
    calls += count;
    return tensor([count, 2], new Float32Array(2 * count).fill(0.5));
  },
});
const picture = image(8, 8);

beforeEach(() => {
  calls = 0;
});

describe('a refused request does not call the model', () => {
  const requests: [string, ExplainOptions<Method> & { method: Method }, string][] = [
    ['a method that needs gradients', { method: gradient }, 'gradient needs gradients'],
    ['a negative seed', { method: occlusion, seed: -1 }, 'seed -1: expected a whole number'],
    ['a broken seed', { method: occlusion, seed: 1.5 }, 'seed 1.5: expected a whole number'],
    ['an unknown label', { method: occlusion, target: { class: 'c' } }, '"c" is not a class'],
    ['a class out of range', { method: occlusion, target: 2 }, 'target 2 is out of range'],
    ['an option out of range', { method: occlusion, options: { stride: 0 } }, 'occlusion.stride'],
  ];
  test.each(requests)('%s', async (_, { method, options, ...request }, message) => {
    await expect(explain(model, picture, { method, options, ...request })).rejects.toThrow(message);
    await expect(explainAll(model, picture, { method, options, ...request })).rejects.toThrow(
      message,
    );
    expect(calls).toBe(0);
    if (options) return;
    const run = { method, options: parseOptions(method) };
    await expect(runMethod(model, picture, run, request)).rejects.toThrow(message);
    expect(calls).toBe(0);
  });
});

test('a prepared picture is not classified again', async () => {
  const prepared = await prepareInput(model, picture);
  expect(calls).toBe(1);
  const { modelCalls } = (
    await explain(model, prepared, { method: occlusion, options: { window: 4, stride: 4 } })
  ).manifest;
  expect(calls).toBe(1 + modelCalls.forward);
});

describe('a method that returns a wrong map is named, and not called a fault of Fovea', () => {
  const custom = (map: Tensor | undefined): Method =>
    defineMethod({
      ...occlusion,
      name: 'mine',
      options: v.object({}),
      explain: async () => (map ? [{ map }] : []),
    });
  const maps: [string, Tensor | undefined, FoveaErrorCode, string][] = [
    ['no map', undefined, 'usage', 'the method mine returned fewer maps than there are targets'],
    [
      'a map of another size',
      tensor([3, 3], new Float32Array(9)),
      'usage',
      'the method mine returned a map of 3×3: expected one value per pixel of the input, 8×8',
    ],
    [
      'a map with NaN',
      tensor([8, 8], new Float32Array(64).fill(Number.NaN)),
      'unexplained',
      'the method mine returned a map with NaN or infinite values',
    ],
  ];
  test.each(maps)('%s', async (_, map, code, message) => {
    const explained = explain(model, picture, { method: custom(map) });
    await expect(explained).rejects.toMatchObject({ code, message });
  });
});
