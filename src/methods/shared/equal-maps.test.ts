import { expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import type { Model } from '../../model/model.ts';
import { pearson } from '../../tensor/statistics.ts';
import { convNet, linearNet, picture } from '../fixtures/nets.ts';
import { methods } from '../index.ts';

type Net = readonly [head: 'linear' | 'tanh', activation: 'Relu' | 'Softplus', layer: string];

async function warningsOf(name: string, [head, activation, layer]: Net): Promise<string> {
  const model = await convNet(head, activation);
  const isCam = name.endsWith('-cam');
  const { manifest } = await explain(model, picture, {
    method: methods.get(name),
    options: isCam ? { layer } : {},
    target: 1,
  });
  return manifest.warnings.join('\n');
}

it.each(['guided-backprop', 'deconvnet'])(
  '%s warns that it equals gradient if the network has no ReLU, and only then',
  async (name) => {
    const warning = /^this map equals the map of gradient, because conv-linear has no ReLU/m;
    expect(await warningsOf(name, ['linear', 'Softplus', 'features'])).toMatch(warning);
    expect(await warningsOf(name, ['linear', 'Relu', 'features'])).not.toMatch(/equals/);
  },
);

it.each(['hires-cam', 'xgrad-cam'])(
  '%s warns that it equals grad-cam before a mean over cells, and only then',
  async (name) => {
    const warning = /^the gradient is the same in all cells .* equals the map of grad-cam: choose/m;
    expect(await warningsOf(name, ['linear', 'Relu', 'features'])).toMatch(warning);
    expect(await warningsOf(name, ['tanh', 'Relu', 'early'])).not.toMatch(/equals/);
    expect(await warningsOf('grad-cam', ['linear', 'Relu', 'features'])).not.toMatch(/equals/);
  },
);

const explained = (model: Model, name: string, options = {}) =>
  explain(model, picture, { method: methods.get(name), options, target: 1 });

it('layer-cam warns if it equals a part of grad-cam, and only then', async () => {
  const warning =
    /^the gradient is the same in all cells .* grad-cam without its negative weights/m;
  expect(await warningsOf('layer-cam', ['linear', 'Relu', 'features'])).toMatch(warning);
  expect(await warningsOf('layer-cam', ['tanh', 'Relu', 'early'])).not.toMatch(/grad-cam/);
});

it('lift-cam warns that it equals ablation-cam before a linear head, and only then', async () => {
  const warning = /^the scores are linear in the layer, .* ablation-cam up to a factor/m;
  const model = await convNet('linear');
  const { map, manifest } = await explained(model, 'lift-cam');
  expect(manifest.warnings.join('\n')).toMatch(warning);
  const ablation = (await explained(model, 'ablation-cam')).map;
  expect(Math.abs(pearson(map.data, ablation.data))).toBeGreaterThan(1 - 1e-9);
  expect(await warningsOf('lift-cam', ['tanh', 'Relu', 'features'])).not.toMatch(/ablation-cam/);
});

it('deep-lift warns that its multipliers equal the gradient, and only then', async () => {
  const warning = /^the multipliers of deep-lift equal the gradient, .* gradient-x-input/m;
  const model = await convNet('linear'); // ReLUs, and no biases
  const zero = await explained(model, 'deep-lift', { baseline: 'zero' });
  expect(zero.manifest.warnings.join('\n')).toMatch(warning);
  expect(zero.map).toBeAllClose((await explained(model, 'gradient-x-input')).map);
  const black = await explained(model, 'deep-lift', { baseline: 'black' });
  expect(black.manifest.warnings.join()).not.toMatch(/multipliers/);
});

it.each(['integrated-gradients', 'expected-gradients', 'smoothgrad', 'guided-ig', 'blur-ig'])(
  '%s warns if the gradient is the same at all pictures, and only then',
  async (name) => {
    const few = { 'guided-ig': { steps: 4 }, 'blur-ig': { steps: 4 } }[name] ?? {};
    const warning = /^the gradient is the same at all \d+ pictures .* gradient-x-input$/m;
    const { warnings } = (await explained(await linearNet(), name, few)).manifest;
    expect(warnings.join('\n')).toMatch(warning);
    expect((await explained(await convNet('tanh'), name, few)).manifest.warnings).toEqual([]);
  },
);
