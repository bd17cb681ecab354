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
import {
  type Explanation,
  explain,
  FoveaError,
  loadModel,
  type Model,
  methods,
  prepareInput,
} from '../../src/node.ts';
import { describeOptions } from '../../src/option-words.ts';
import { extent } from '../../src/tensor/statistics.ts';
import { FEW } from './few-options.ts';

const { image, label } = createScene(await loadSprites(), 6, { className: 'teapot' });
const demoModels = new Map<string, Promise<Model>>();
const demoModel = (name: string): Promise<Model> => {
  const model = demoModels.get(name) ?? loadModel(name);
  demoModels.set(name, model);
  return model;
};

/** The model with only the calls that `offered` names; all other calls are refused. */
function offering(model: Model, offered: readonly Need[]): Model {
  const refuse = (what: string) => async () => {
    throw new FoveaError('unsupported', `${model.name} offers no ${what}: use another model`);
  };
  const unless = <Calls>(need: Need, calls: Calls) => (offered.includes(need) ? {} : calls);
  const { inside } = model;
  const noScores = { classify: refuse('scores'), perturb: refuse('scores') };
  const noNetwork = offered.every((need) => need === 'black-box');
  return {
    ...model,
    ...unless('black-box', noScores),
    inside:
      noNetwork || !inside
        ? undefined
        : {
            ...inside,
            ...unless('features', { featureMaps: () => [], activations: refuse('inner tensors') }),
            ...unless('gradients', {
              gradients: refuse('gradients'),
              pathIntegral: refuse('gradients'),
              biases: async () => [],
            }),
            ...unless('attention', { attentionMaps: () => [] }),
            randomized: refuse('weights'),
          },
  };
}

type Run = (
  more?: { batchSize?: number; signal?: AbortSignal },
  model?: Model,
) => Promise<Explanation>;

function expectMap({ map }: Explanation, method: Method): void {
  expect(map.shape).toEqual([224, 224]);
  expect(map.data.every(Number.isFinite)).toBe(true);
  if (!method.signed) expect(extent(map.data)[0]).toBeGreaterThanOrEqual(-1e-6);
}

/** A map of pictures one by one, and with just what the method declares, is the map of batches. */
function expectSameMap({ map: one }: Explanation, { map }: Explanation): void {
  const scale = Math.max(1e-12, ...extent(map.data).map(Math.abs));
  const differences = one.data.map((value, i) => Math.abs(value - map.data[i]) / scale);
  expect(extent(differences)[1]).toBeLessThan(1e-2);
}

/** Runs with one need less than the method declares, which is refused; and without what it uses. */
async function declaresItsNeeds(method: Method, model: Model, run: Run): Promise<void> {
  const { needs, uses = [] } = method;
  if (uses.length > 0) expectMap(await run({}, offering(model, needs)), method);
  for (const lacking of needs.filter((need) => need !== 'black-box')) {
    const rest = needs.filter((need) => need !== lacking);
    const refused: unknown = await run({}, offering(model, rest)).catch((error) => error);
    expect(refused, `${method.name} without ${lacking}`).toMatchObject({ code: 'unsupported' });
    expect((refused as FoveaError).message).toMatch(/^[^\n]+: (?:(?!\. )[^\n])+[^.\n]$/);
  }
}

async function keepsItsPromises(method: Method, model: Model, run: Run): Promise<void> {
  const whole = await run();
  expectMap(whole, method);
  const declared = offering(model, [...method.needs, ...(method.uses ?? [])]);
  expectSameMap(await run({ batchSize: 1 }, declared), whole);
  await declaresItsNeeds(method, model, run);
  if (method.needs.length === 0) return; // nothing to cancel: it calls no model
  const stop = new AbortController();
  stop.abort();
  await expect(run({ signal: stop.signal })).rejects.toMatchObject({ code: 'cancelled' });
}

describe.each(['demo-cnn', 'demo-vit'])('every method on %s', (modelName) => {
  it.each([...methods].map((method) => [method.name, method] as const))(
    '%s',
    async (name, method) => {
      const model = await demoModel(modelName);
      const input = await prepareInput(model, image);
      const run: Run = (more = {}, of = model) =>
        explain(of, input, { method, target: label, options: FEW[name], seed: 4, ...more });
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
        const input = await prepareInput(model, recordedInput(each));
        const run: Run = (more = {}, of = model) =>
          explain(of, input, {
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
