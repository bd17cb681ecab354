import { describe, expect, it } from 'vitest';
import { createScene } from '../../demo/scenes.ts';
import { loadSprites } from '../../demo/sprites.ts';
import { explain, loadModel, type Model, methods } from '../../src/node.ts';

/** So few samples that all methods together take a minute; what is promised holds for any number. */
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

const { image, label } = createScene(await loadSprites(), 6, { className: 'teapot' });
const models = new Map<string, Promise<Model>>();
const modelOf = (name: string): Promise<Model> => {
  const model = models.get(name) ?? loadModel(name);
  models.set(name, model);
  return model;
};

/** The model, which notes what it is asked for. */
function watched(model: Model, used: Set<string>): Model {
  const note =
    <Args extends unknown[], Result>(need: string, call: (...args: Args) => Result) =>
    (...args: Args): Result => {
      used.add(need);
      return call(...args);
    };
  return {
    ...model,
    ...(model.gradients && { gradients: note('gradients', model.gradients) }),
    ...(model.attentionMaps && { attentionMaps: note('attention', model.attentionMaps) }),
    ...(model.activations && { activations: note('features', model.activations) }),
  };
}

const pairs = [...methods.values()].flatMap((method) => ['demo-cnn', 'demo-vit'].map((name) => [method.name, name] as const));

describe('every method on every demo model', () => {
  it.each(pairs)(
    '%s on %s',
    async (name, modelName) => {
      const method = methods.get(name);
      const used = new Set<string>();
      const model = watched(await modelOf(modelName), used);
      const run = (more = {}) => explain(model, image, { method: name, target: label, options: FEW[name], seed: 4, ...more });
      if (method?.needs.includes('attention') && modelName === 'demo-cnn') {
        await expect(run()).rejects.toMatchObject({ code: 'unsupported' });
        return;
      }
      const { map } = await run();
      expect(map.shape).toEqual([224, 224]);
      expect(map.data.every(Number.isFinite)).toBe(true);
      if (!method?.signed) expect(Math.min(...map.data.map((value) => value))).toBeGreaterThanOrEqual(-1e-6);
      const needs = new Set<string>(method?.needs);
      if (!needs.has('gradients')) expect(used.has('gradients')).toBe(false);
      const again = await run({ batchSize: 1 });
      const scale = map.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
      expect(Math.max(...again.map.data.map((value, i) => Math.abs(value - map.data[i]) / scale))).toBeLessThan(1e-2);
      const stop = new AbortController();
      stop.abort();
      await expect(run({ signal: stop.signal })).rejects.toMatchObject({ code: 'cancelled' });
    },
    120_000,
  );
});
