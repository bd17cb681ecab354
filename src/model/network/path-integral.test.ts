import { afterAll, describe, expect, it } from 'vitest';
import { convNet, HEIGHT, normal, picture, WIDTH } from '../../methods/fixtures/nets.ts';
import { slab, type Tensor, tensor } from '../../tensor/tensor.ts';
import { createMeter } from '../meter.ts';
import { INPUT, type Model, type PathIntegralRequest } from '../model.ts';

const model = await convNet('tanh');
afterAll(() => model.dispose());

const points = [0.1, 0.4, 0.7, 1];
const integral = (request: PathIntegralRequest, of: Model = model) =>
  of.inside?.pathIntegral(request) as Promise<Tensor>;

/** 1 / K · sum_k v_k ⊙ dS/dv (v_k), point by point. */
async function replica({
  batch,
  reference,
  points,
  at,
  target,
  score,
}: PathIntegralRequest): Promise<Tensor> {
  const result = tensor(batch.shape);
  for (const alpha of points) {
    const values = tensor(
      batch.shape,
      batch.data.map((u, i) => reference.data[i] + alpha * (u - reference.data[i])),
    );
    const { gradients = [] } =
      (await model.inside?.gradients({
        batch: values,
        at,
        wrt: [INPUT],
        targets: [target],
        score,
      })) ?? {};
    values.data.forEach((v, i) => (result.data[i] += (v * gradients[0].data[i]) / points.length));
  }
  return result;
}

describe('the integral along paths', () => {
  it('through a feature map equals the sum of gradients at each point', async () => {
    const pictures = normal(3, 3, HEIGHT, WIDTH);
    const [batch] = (await model.inside?.activations(['features'], pictures)) ?? [];
    const reference = tensor(
      batch.shape,
      batch.data.map((x) => x / 3 - 0.1),
    );
    for (const score of ['logit', 'probability'] as const) {
      const request = { batch, reference, at: 'features', points, target: 2, score };
      expect(await integral(request)).toBeAllClose(await replica(request), { rtol: 0, atol: 5e-6 });
      expect(await integral({ ...request, batchSize: 3 })).toBeAllClose(await integral(request), {
        rtol: 0,
        atol: 5e-6,
      });
      expect(slab(await integral(request), 1)).toBeAllClose(
        slab(await integral({ ...request, at: 'second' }), 1),
        { rtol: 0, atol: 5e-6 },
      ); // by the name of the node
    }
  });

  it('through pictures needs no tensor of the network', async () => {
    const request = { batch: picture, reference: tensor(picture.shape), points, target: 0 };
    expect(await integral(request)).toBeAllClose(await replica(request), { rtol: 0, atol: 5e-6 });
  });

  it('is counted point by point, and stops when it is cancelled', async () => {
    const meter = createMeter();
    const request = { batch: picture, reference: tensor(picture.shape), points, target: 0 };
    const progress: number[] = [];
    await integral(
      { ...request, onProgress: (done, total) => progress.push(done / total) },
      meter.wrap(model),
    );
    expect(meter.calls()).toEqual({ forward: 4, backward: 4 });
    expect(progress).toEqual([1]);
    await expect(integral({ ...request, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  it('says what is wrong with a request', async () => {
    const request = { batch: picture, reference: tensor(picture.shape), points, target: 0 };
    await expect(integral({ ...request, reference: tensor([1, 3, 2, 2]) })).rejects.toThrow(
      /the path starts at \[1,3,2,2\] and ends at/,
    );
    await expect(integral({ ...request, points: [] })).rejects.toThrow('a path without points');
    await expect(integral({ ...request, target: 3 })).rejects.toThrow('target 3: expected 0 to 2');
    await expect(integral({ ...request, at: 'featurs' })).rejects.toThrow(/no tensor "featurs"/);
  });
});
