import { beforeAll, describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import {
  haveReference,
  recorded,
  recordedCases,
  recordedInput,
  referenceModel,
} from '../methods/fixtures/reference.ts';
import { methods } from '../methods/index.ts';
import type { Model } from '../model/model.ts';
import { losslessWebpSize } from '../node/write-image.ts';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { metrics as metricRegistry } from './index.ts';
import type { MetricContext } from './metric.ts';

const available = haveReference('pixel') && haveReference('cam');
if (!available)
  console.warn('skipped: ../shared/reference and ../shared/models are needed to score real maps');

const [HEIGHT, WIDTH] = [224, 224];
const random = createRandom(1);
const noise = tensor(
  [HEIGHT, WIDTH],
  Float32Array.from({ length: HEIGHT * WIDTH }, () => random.uniform()),
);

/** The sum over the channels, if a map has channels. */
function overChannels({ shape, data }: Tensor): Tensor {
  const area = HEIGHT * WIDTH;
  const sums =
    shape.length === 2
      ? data
      : Float32Array.from(
          { length: area },
          (_, i) => data[i] + data[area + i] + data[2 * area + i],
        );
  return tensor([HEIGHT, WIDTH], sums);
}

describe.skipIf(!available)('metrics on mobilenet_v2', () => {
  const [first] = recordedCases('cam').filter(({ model }) => model === 'mobilenet_v2');
  let context: MetricContext;
  let model: Model;
  beforeAll(async () => {
    model = await referenceModel('mobilenet_v2');
    const map = recorded('cam', first.arrays.GradCAM_final);
    context = {
      model,
      input: recordedInput(first),
      target: { index: first.target },
      map,
      losslessSize: losslessWebpSize,
    };
  });

  const score = async (name: string, more: Partial<MetricContext> = {}) =>
    (await metricRegistry.get(name).score({ ...context, ...more })).value as number;

  it.each([
    ['negative-perturbation', 'iia-2023-ins'],
    ['average-drop', 'iia-2023'],
    ['road', 'pytorch-grad-cam'],
    ['sic', 'iia-2023'],
    ['mu-fidelity', 'fixed-size'],
  ])('%s prefers Grad-CAM to noise', async (name, preset) => {
    const options =
      name === 'road' ? { shares: [0.2] } : name === 'mu-fidelity' ? { samples: 50 } : {};
    const [map, other] = [
      await score(name, { preset, options }),
      await score(name, { preset, options, map: noise }),
    ];
    if (metricRegistry.get(name).direction === 'higher') expect(map).toBeGreaterThan(other);
    else expect(map).toBeLessThan(other);
  });

  it('completeness has the error that captum recorded for its maps', async () => {
    const [one] = recordedCases('pixel').filter((each) => each.model === 'mobilenet_v2');
    const about = { input: recordedInput(one), target: { index: one.target }, preset: 'absolute' };
    for (const kind of ['ig50_trapezoid', 'ig50_right', 'ig50_gausslegendre', 'deeplift']) {
      const error = await score('completeness', {
        ...about,
        map: overChannels(recorded('pixel', one.arrays[kind])),
      });
      // The maps are stored as int16.
      expect(Math.abs(error - Math.abs(one.params[kind].delta)), kind).toBeLessThan(0.02);
    }
  });

  it('random logit separates Grad-CAM from a method that ignores the class', async () => {
    const explainWith =
      (method: string) =>
      async ({ target }: { target?: { index: number } }) =>
        (
          await explain(model, context.input as Tensor, {
            method: methods.get(method),
            target: target?.index ?? first.target,
          })
        ).map;
    const map = await explainWith('eigen-cam')({});
    expect(await score('random-logit', { map, explain: explainWith('eigen-cam') })).toBeCloseTo(
      1,
      4,
    ); // the same for every class
    expect(
      await score('random-logit', {
        map: await explainWith('grad-cam')({}),
        explain: explainWith('grad-cam'),
      }),
    ).toBeLessThan(0.95);
  });
});
