import { expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { convNet, picture } from '../fixtures/nets.ts';
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
    const warning = /^this map equals that of gradient, because conv-linear has no ReLU/m;
    expect(await warningsOf(name, ['linear', 'Softplus', 'features'])).toMatch(warning);
    expect(await warningsOf(name, ['linear', 'Relu', 'features'])).not.toMatch(/equals/);
  },
);

it.each(['hires-cam', 'xgrad-cam'])(
  '%s warns that it equals grad-cam before a mean over cells, and only then',
  async (name) => {
    const warning = /^the gradient is the same in all cells .* equals that of grad-cam: choose/m;
    expect(await warningsOf(name, ['linear', 'Relu', 'features'])).toMatch(warning);
    expect(await warningsOf(name, ['tanh', 'Relu', 'early'])).not.toMatch(/equals/);
    expect(await warningsOf('grad-cam', ['linear', 'Relu', 'features'])).not.toMatch(/equals/);
  },
);
