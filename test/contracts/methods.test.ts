import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createScene } from '../../src/demo/scenes.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import {
  haveReference,
  REFERENCE_VIT,
  type RecordedCase,
  recordedCases,
  recordedInput,
  referenceModel,
} from '../../src/methods/fixtures/reference.ts';
import type { Method, Need } from '../../src/methods/index.ts';
import type { ModelInside } from '../../src/model/model.ts';
import { type Explanation, explain, loadModel, type Model, methods } from '../../src/node.ts';
import { describeOptions } from '../../src/option-words.ts';

/**
 * So few samples that all methods together take a minute; what is promised holds for any number.
 */
const FEW: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  iassa: { iterations: 1, window: 112, stride: 56, features: 'none' },
  iia: { steps: 1 },
  rise: { N: 16 },
  oise: { N: 16, chains: 4 },
  lime: { N: 16, segmentation: 'slic', segments: 8 },
  'kernel-shap': { segments: 4 },
  sag: { grid: 2, restarts: 0 },
  sobol: { s: 2, design: 4 },
  'i-gos': { size: 7, iterations: 1, steps: 2 },
  occlusion: { window: 64, stride: 64 },
  'integrated-gradients': { steps: 2 },
  'expected-gradients': { samples: 2 },
  smoothgrad: { samples: 2 },
  'guided-ig': { steps: 2 },
  'blur-ig': { steps: 2, maxSigma: 2 },
  xrai: { steps: 2 },
};

/** The calls that a model answers to those who declare a need; all else any black box can do. */
const CALLS: Readonly<Record<Exclude<Need, 'black-box'>, readonly (keyof ModelInside)[]>> = {
  features: ['featureMaps', 'activations'],
  gradients: ['gradients', 'pathIntegral', 'biases'],
  attention: ['attentionMaps'],
};
/** Takes another way where it finds attention, and does without it. */
const ALSO: Readonly<Record<string, Need>> = { iia: 'attention' };

const { image, label } = createScene(await loadSprites(), 6, { className: 'teapot' });
const demoModels = new Map<string, Promise<Model>>();
const demoModel = (name: string): Promise<Model> => {
  const model = demoModels.get(name) ?? loadModel(name);
  demoModels.set(name, model);
  return model;
};

/** The model without the calls that the method declares no need of. */
function restricted(model: Model, { name, needs }: Method): Model {
  const undeclared = Object.entries(CALLS).filter(
    ([need]) => !needs.includes(need as Need) && ALSO[name] !== need,
  );
  const none = Object.fromEntries(
    undeclared.flatMap(([, calls]) => calls.map((call) => [call, () => []])),
  );
  return { ...model, inside: model.inside && { ...model.inside, ...none } };
}

type Run = (
  more?: { batchSize?: number; signal?: AbortSignal },
  model?: Model,
) => Promise<Explanation>;

async function keepsItsPromises(method: Method, model: Model, run: Run): Promise<void> {
  const { map } = await run();
  expect(map.shape).toEqual([224, 224]);
  expect(map.data.every(Number.isFinite)).toBe(true);
  if (!method.signed)
    expect(map.data.reduce((least, value) => Math.min(least, value))).toBeGreaterThanOrEqual(-1e-6);
  // Once more, with nothing but what it says it needs: the very same numbers.
  expect((await run({}, restricted(model, method))).map.data).toEqual(map.data);
  const one = await run({ batchSize: 1 });
  const scale = map.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
  expect(
    one.map.data.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - map.data[i]) / scale),
      0,
    ),
  ).toBeLessThan(1e-2);
  const stop = new AbortController();
  stop.abort();
  await expect(run({ signal: stop.signal })).rejects.toMatchObject({ code: 'cancelled' });
}

describe.each(['demo-cnn', 'demo-vit'])('every method on %s', (modelName) => {
  it.each([...methods].map((method) => [method.name, method] as const))(
    '%s',
    async (name, method) => {
      const model = await demoModel(modelName);
      const run: Run = (more = {}, of = model) =>
        explain(of, image, { method, target: label, options: FEW[name], seed: 4, ...more });
      if (method.needs.includes('attention') && modelName === 'demo-cnn')
        await expect(run()).rejects.toMatchObject({ code: 'unsupported' });
      else await keepsItsPromises(method, model, run);
    },
    120_000,
  );
});

/** Runs the network once for each channel of a layer: 1,280 of mobilenet_v2. */
const tooLong = (modelName: string, method: string) =>
  modelName === 'mobilenet_v2' && method === 'score-cam';
describe.skipIf(!haveReference('vit'))('every method on real networks (needs ../shared)', () => {
  const cases = [...recordedCases('pixel'), ...recordedCases('vit')];
  describe.each(['squeezenet', 'mobilenet_v2', REFERENCE_VIT])('%s', (modelName) => {
    const chosen = [...methods].filter(({ name }) => !tooLong(modelName, name));
    it.each(chosen.map((method) => [method.name, method] as const))(
      '%s',
      async (name, method) => {
        const each = cases.find(({ model }) => model === modelName) as RecordedCase;
        const model = await referenceModel(modelName);
        const run: Run = (more = {}, of = model) =>
          explain(of, recordedInput(each), {
            method,
            target: each.target,
            options: FEW[name],
            seed: 4,
            ...more,
          });
        if (method.needs.includes('attention') && modelName !== REFERENCE_VIT)
          await expect(run()).rejects.toMatchObject({ code: 'unsupported' });
        else await keepsItsPromises(method, model, run);
      },
      120_000,
    );
  });
});

describe('the page of every method', () => {
  it.each([...methods].map((method) => [method.name, method] as const))(
    '%s names its options and its paper',
    (name, method) => {
      const page = readFileSync(new URL(`../../docs/methods/${name}.md`, import.meta.url), 'utf8');
      for (const option of describeOptions(method))
        expect(page, option.name).toContain(`\`${option.name}\``);
      expect(
        readFileSync(new URL('../../docs/methods/README.md', import.meta.url), 'utf8'),
      ).toContain(`\`${name}\``);
    },
  );
});
