import { describe, expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { tensor } from '../../tensor/tensor.ts';
import {
  CHANNELS,
  convNet,
  HEIGHT,
  headWeights,
  layoutNet,
  picture,
  WIDTH,
} from '../fixtures/nets.ts';
import {
  haveReference,
  recorded,
  recordedCases,
  recordedInput,
  referenceModel,
  relativeError,
} from '../fixtures/reference.ts';

const [H, W, CLASSES] = [HEIGHT / 4, WIDTH / 4, 3];
const layerMap = async (model: Parameters<typeof explain>[0], options = {}, extra = {}) => {
  const { layers = [], manifest } = await explain(model, picture, {
    method: 'iia',
    target: 1,
    options,
    ...extra,
  });
  return { map: layers[0].map, manifest };
};

describe('iia', () => {
  it('equals the closed form of the integrals for a linear head', async () => {
    const model = await convNet('linear');
    const steps = 4;
    const { map, manifest } = await layerMap(model, { steps, layer: 'features' });
    const pictures = tensor([steps, 3, HEIGHT, WIDTH]);
    for (let k = 0; k < steps; k++)
      picture.data.forEach(
        (x, i) => (pictures.data[k * picture.data.length + i] = ((k + 1) / steps) * x),
      );
    const [features] = (await model.inside?.activations(['features'], pictures)) ?? [];
    const area = H * W;
    const expected = new Float64Array(area);
    for (let k = 0; k < steps; k++) {
      for (let c = 0; c < CHANNELS; c++) {
        const u = features.data.subarray((k * CHANNELS + c) * area, (k * CHANNELS + c + 1) * area);
        const r = Math.min(...u);
        for (let j = 1; j <= steps; j++) {
          u.forEach(
            (x, i) =>
              (expected[i] +=
                ((x - r) * (r + (j / steps) * (x - r)) * headWeights.data[c * CLASSES + 1]) /
                area /
                steps ** 2),
          );
        }
      }
    }
    expect(map.data).toBeAllClose(expected, { atol: 5e-6 });
    expect(map.shape).toEqual([H, W]);
    expect(manifest.modelCalls).toEqual({ forward: steps + steps ** 2, backward: steps ** 2 });
  });

  it('gives the same map for any batch size, and for the layer by name or by default', async () => {
    const model = await convNet('tanh');
    const { map } = await layerMap(model, { steps: 5 });
    for (const [options, extra] of [
      [{ steps: 5, layer: 'second' }, {}],
      [{ steps: 5 }, { batchSize: 2 }],
    ]) {
      expect((await layerMap(model, options, extra)).map.data).toBeAllClose(map.data, {
        atol: 5e-6,
      });
    }
  });

  it('uses a path through an earlier layer with three levels', async () => {
    const model = await convNet('tanh');
    const steps = 3;
    const { map, manifest } = await layerMap(model, { steps, levels: 3 });
    expect(manifest.extras.path).toEqual(['early', 'features']);
    expect(manifest.modelCalls).toEqual({
      forward: steps + steps ** 2 + steps ** 3,
      backward: steps ** 3,
    });
    expect(
      (await layerMap(model, { steps, levels: 3, layer: ['early', 'features'] }, { batchSize: 2 }))
        .map.data,
    ).toBeAllClose(map.data, { atol: 5e-6 });
  });

  it('equals the closed form of three integrals for a linear head with three levels', async () => {
    const model = await convNet('linear');
    const steps = 2;
    const points = [1 / 2, 1];
    const area = H * W;
    const leastOf = (values: Float32Array, size: number) =>
      values.map((_, i) => Math.min(...values.subarray(i - (i % size), i - (i % size) + size)));
    const expected = new Float64Array(area);
    for (const beta of points) {
      const [early] =
        (await model.inside?.activations(
          ['early'],
          tensor(
            picture.shape,
            picture.data.map((x) => beta * x),
          ),
        )) ?? [];
      const r = leastOf(early.data, 4 * area);
      for (const alpha of points) {
        const between = tensor(
          early.shape,
          early.data.map((u, i) => r[i] + alpha * (u - r[i])),
        );
        const [features] =
          (await model.inside?.activations(['features'], between, { at: 'early' })) ?? [];
        const least = leastOf(features.data, area);
        for (const last of points) {
          features.data.forEach((u, i) => {
            const weight = headWeights.data[Math.floor(i / area) * CLASSES + 1] / area;
            expected[i % area] +=
              ((u - least[i]) * (least[i] + last * (u - least[i])) * weight) / steps ** 3;
          });
        }
      }
    }
    const { map } = await layerMap(model, { steps, levels: 3 });
    expect(map.data).toBeAllClose(expected, { atol: 5e-6 });
  });

  it('gives the same map for a layer with channels last, and for tokens', async () => {
    const model = await layoutNet();
    const { map } = await layerMap(model, { steps: 3, layer: 'features' });
    for (const layer of ['cells', 'tokens'])
      expect((await layerMap(model, { steps: 3, layer })).map.data).toBeAllClose(map.data, {
        atol: 5e-6,
      });
  });

  it('integrates once with only one of the two paths', async () => {
    const model = await convNet('tanh');
    expect((await layerMap(model, { paths: 'activations' })).manifest.modelCalls).toEqual({
      forward: 11,
      backward: 10,
    });
    expect((await layerMap(model, { paths: 'image' })).manifest.modelCalls).toEqual({
      forward: 20,
      backward: 10,
    });
    const one = (await layerMap(model, { paths: 'image', steps: 1 })).map;
    const { layers = [] } = await explain(model, picture, { method: 'hires-cam', target: 1 });
    expect(one.data).toBeAllClose(layers[0].map.data, { atol: 5e-6 });
  });

  it('names the layers of the network and their expected number in errors', async () => {
    const model = await convNet('tanh');
    await expect(layerMap(model, { layer: 'featurs' })).rejects.toThrow(
      /"featurs".*its feature maps are early \(5×12×16\), features \(5×6×8\)/,
    );
    await expect(layerMap(model, { layer: ['early', 'features'] })).rejects.toThrow(
      'iia.layer names 2 layers: expected 1 for levels 2',
    );
  });
});

// The released code does not integrate over the activations. It sums gradient · relu(activation)
// over 11 pictures from zero to the picture. This equals ten times the map of `paths: 'image'` plus
// the first point.
describe.skipIf(!haveReference('iia'))(
  'iia over the path of pictures, compared with the released code (needs ../shared)',
  () => {
    it.each(recordedCases('iia').map((each) => [`${each.model} ${each.case}`, each] as const))(
      '%s',
      async (_, each) => {
        const model = await referenceModel(each.model);
        const input = recordedInput(each);
        const target = each.target;
        const { layers: [path] = [] } = await explain(model, input, {
          method: 'iia',
          target,
          options: { paths: 'image' },
        });
        const { layers: [start] = [] } = await explain(model, tensor(input.shape), {
          method: 'hires-cam',
          target,
        });
        const sum = path.map.data.map((value, i) => 10 * value + start.map.data[i]);
        const error = relativeError(sum, recorded('iia', each.arrays.iia_raw).data);
        if (process.env.FOVEA_ERRORS) console.log('iia', 'iia_raw', each.model, each.case, error);
        expect(error).toBeLessThan(1e-3);
      },
      300_000,
    );
  },
);
