import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { createBaseline } from '../model/input/baseline.ts';
import { denormalize, preprocess } from '../model/input/preprocessing.ts';
import { createRandom } from '../tensor/random.ts';
import { argsortDescending } from '../tensor/tensor.ts';
import { convNet, picture } from './fixtures/nets.ts';
import { haveReference, recordedInput, referenceModel } from './fixtures/reference.ts';
import { maskPenalty } from './i-gos.ts';

describe('maskPenalty', () => {
  it('has the slope that finite differences give', () => {
    const random = createRandom(1);
    const mask = Float64Array.from({ length: 25 }, () => random.uniform());
    const { value, slope } = maskPenalty(mask, 5, 0.7, 3);
    for (let i = 0; i < 25; i++) {
      const moved = mask.slice();
      moved[i] += 1e-6;
      expect((maskPenalty(moved, 5, 0.7, 3).value - value) / 1e-6).toBeCloseTo(slope[i], 4);
    }
    expect(maskPenalty(new Float64Array(25).fill(1), 5, 0.7, 3).value).toBe(0);
    expect(maskPenalty(new Float64Array(25), 5, 0.7, 3).value).toBeCloseTo(0.7, 12);
  });
});

describe('i-gos', () => {
  const run = async (options = {}, extra = {}) =>
    explain(await convNet('tanh'), picture, {
      method: 'i-gos',
      options: { size: 4, iterations: 6, tv: 0.1, l1: 0.1, baseline: 'zero', ...options },
      ...extra,
    });

  it('lowers its objective at every step, and the score with its mask', async () => {
    const { map, manifest, target } = await run();
    const { objective, mask } = manifest.extras as unknown as {
      objective: number[];
      mask: number[];
    };
    expect(objective[0]).toBeCloseTo(1, 4);
    expect(objective.length).toBeGreaterThan(2);
    objective.slice(1).forEach((value, i) => expect(value).toBeLessThan(objective[i]));
    for (const value of mask) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(1);
    }
    const model = await convNet('tanh');
    const hidden = {
      shape: picture.shape,
      data: picture.data.map((value, i) => value * (1 - map.data[i % map.data.length])),
    };
    const score = (await model.classify(hidden)).data[target.index];
    const penalty = maskPenalty(mask, 4, 0.1, 0.1).value;
    expect(score / target.probability + penalty).toBeCloseTo(objective[objective.length - 1], 4);
    expect(score).toBeLessThan(target.probability);
  });

  it('counts its calls, and gives the same map for any batch size', async () => {
    const base = await run({ iterations: 1 });
    expect(base.manifest.modelCalls).toEqual({ forward: 1 + 20 + 32, backward: 20 });
    const again = await run({ iterations: 1 }, { batchSize: 3 });
    expect(again.map.data).toBeAllClose(base.map.data, { atol: 5e-5 });
  });
});

// On each of these pictures, the released line search stays within 3e-6 of the mask of ones, or
// follows noise.
describe.skipIf(!haveReference('inputs'))('i-gos on pretrained models (needs ../shared)', () => {
  it.each([
    ['mobilenet_v2', 'ambulance'],
    ['squeezenet', 'ambulance'],
    ['darknet_tiny', 'schoolbus'],
    ['bird_mobilenet_v2', 'peacock'],
  ])(
    '%s: the mask differs from 1, and hiding it lowers the score of the class',
    async (name, picture) => {
      const reader = await referenceModel('mobilenet_v2');
      const model = await referenceModel(name);
      const pixels = denormalize(
        recordedInput({ model: 'mobilenet_v2', case: picture } as never),
        reader.preprocessing,
      );
      const input = preprocess(pixels, model.preprocessing);
      const { map, manifest, target } = await explain(model, input, {
        method: 'i-gos',
        options: { iterations: 3, steps: 10 },
      });
      const mask = manifest.extras.mask as number[];
      expect(mask.filter((value) => value < 0.9).length).toBeGreaterThan(mask.length / 50);
      expect(
        new Set([...argsortDescending(mask)].slice(-49).map((i) => mask[i])).size,
      ).toBeGreaterThan(10);
      const masks = { shape: [1, ...map.shape], data: map.data.map((value) => 1 - value) };
      const request = {
        input,
        baseline: createBaseline('blur', model, input),
        perturbation: { kind: 'masks', masks } as const,
        targets: [target.index],
      };
      const [hidden] = (await model.perturb(request)).data;
      expect(hidden / target.probability).toBeLessThan(0.75);
    },
    120_000,
  );
});
