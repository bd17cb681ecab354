import { describe, expect, it } from 'vitest';
import { noisePictures, smallNetwork } from '../../methods/fixtures/vit.ts';
import { gradientsOf } from '../../methods/shared/gradients.ts';
import { graphBuilder, modelOf, writeModel } from '../../onnx/index.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { createRandom } from '../../tensor/random.ts';
import { rowsOf } from '../classifier/batches.ts';
import { IMAGENET_PREPROCESSING } from '../input/preprocessing.ts';
import { requireInside } from '../model.ts';
import { createOnnxModel } from '../onnx-model.ts';

describe('attention maps', () => {
  it('of a ViT are those of all its blocks, even if heads and pictures share an axis', async () => {
    const model = await smallNetwork('vit');
    const maps = model.inside?.attentionMaps() ?? [];
    expect(
      maps.map(({ heads, windows, queries, keys }) => [heads, windows, queries, keys]),
    ).toEqual([
      [2, 1, 17, 17],
      [2, 1, 17, 17],
    ]);
    const batch = noisePictures(3, 32);
    const [together] = (await model.inside?.activations([maps[0].name], batch)) ?? [];
    expect(together.shape).toEqual([3, 2, 17, 17]);
    const [alone] = (await model.inside?.activations([maps[0].name], rowsOf(batch, 2, 3))) ?? [];
    expect(together.data.subarray(2 * alone.data.length)).toBeAllClose(alone.data, {
      rtol: 0,
      atol: 5e-5,
    });
    for (let row = 0; row < 3 * 2 * 17; row++)
      expect(together.data.subarray(17 * row, 17 * (row + 1)).reduce((a, b) => a + b)).toBeCloseTo(
        1,
        4,
      );
  });

  it('of Swin and MaxViT are within windows; convolutional networks have none', async () => {
    const swin = (await smallNetwork('swin')).inside?.attentionMaps() ?? [];
    expect(swin.map(({ windows, heads, keys }) => [windows, heads, keys])).toEqual([
      [4, 1, 16],
      [1, 2, 16],
      [1, 2, 16],
    ]);
    expect(
      (await smallNetwork('maxvit')).inside
        ?.attentionMaps()
        .map(({ windows, heads }) => [windows, heads]),
    ).toEqual([
      [16, 2],
      [16, 2],
      [4, 2],
      [4, 2],
    ]);
    expect((await smallNetwork('mobilenet-v2')).inside?.attentionMaps()).toEqual([]);
  });

  it('can be replaced: the same maps change nothing, others follow the gradient', async () => {
    const model = await smallNetwork('vit');
    const [, last] = (model.inside?.attentionMaps() ?? []).map((map) => map.name);
    const batch = noisePictures(2, 32);
    const { gradients } = requireInside(model);
    const plain = await gradients({ batch, wrt: [last], targets: [1] });
    const same = await gradients({
      batch,
      wrt: [last],
      targets: [1],
      replace: { [last]: plain.values[0] },
    });
    expect(same.scores.data).toBeAllClose(plain.scores.data, { rtol: 0, atol: 5e-5 });
    expect(same.gradients[0].data).toBeAllClose(plain.gradients[0].data, { rtol: 0, atol: 5e-5 });
    const random = createRandom(5);
    const step = plain.values[0].data.map(() => 1e-2 * random.normal());
    const at = (sign: number) => ({
      ...plain.values[0],
      data: plain.values[0].data.map((value, i) => value + sign * step[i]),
    });
    const scores = await Promise.all(
      [1, -1].map(
        async (sign) =>
          (await gradients({ batch, wrt: [], targets: [1], replace: { [last]: at(sign) } })).scores
            .data,
      ),
    );
    const size = step.length / 2;
    for (const row of [0, 1]) {
      const slope = plain.gradients[0].data
        .subarray(row * size, (row + 1) * size)
        .reduce((sum, g, i) => sum + g * step[row * size + i], 0);
      expect(scores[0][row] - scores[1][row]).toBeCloseTo(2 * slope, 3);
    }
  });

  it('are read and replaced together; values for other batches are refused', async () => {
    const model = await smallNetwork('vit');
    const [first, last] = (model.inside?.attentionMaps() ?? []).map((map) => map.name);
    const batch = noisePictures(2, 32);
    const [own] = (await model.inside?.activations([first], batch)) ?? [];
    const [changed] =
      (await model.inside?.activations([last], batch, {
        replace: { [first]: { ...own, data: own.data.map(() => 0) } },
      })) ?? [];
    const [before] = (await model.inside?.activations([last], batch)) ?? [];
    expect(
      Math.max(...changed.data.map((value, i) => Math.abs(value - before.data[i]))),
    ).toBeGreaterThan(1e-4);
    await expect(
      model.inside?.activations([last], batch, { replace: { [first]: rowsOf(own, 0, 1) } }),
    ).rejects.toThrow(/for 2 rows: expected one for each/);
  });

  it('are found in fused operators too, and replaced there', async () => {
    const random = createRandom(3);
    const weights = (...shape: number[]) =>
      [
        Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 0.3 * random.normal()),
        shape,
      ] as const;
    const b = graphBuilder({ opset: { '': 14, 'com.microsoft': 1 } });
    const x = b.input('picture', 'float32', ['n', 3, 8, 8]);
    const tokens = b.add(
      'Transpose',
      [
        b.add('Reshape', [
          b.add('Conv', [x, b.constant(...weights(6, 3, 2, 2))], {
            kernel_shape: [2, 2],
            strides: [2, 2],
          }),
          b.constant([0, 6, 16], [3], 'int64'),
        ]),
      ],
      { perm: [0, 2, 1] },
    );
    const [q, k, v] = [0, 1, 2].map(() => b.add('MatMul', [tokens, b.constant(...weights(6, 6))]));
    const attended = b.add('MultiHeadAttention', [q, k, v], { num_heads: 2 }, 'attended', {
      domain: 'com.microsoft',
    });
    const pooled = b.add('Flatten', [b.add('ReduceMean', [attended], { axes: [1], keepdims: 0 })]);
    b.output(b.add('MatMul', [pooled, b.constant(...weights(6, 4))]), 'float32', ['n', 4]);
    const preprocessing = { ...IMAGENET_PREPROCESSING, size: [8, 8] as const };
    const model = await createOnnxModel(
      { name: 'fused', bytes: writeModel(modelOf(b.finish())), preprocessing },
      await createNodeRuntime({ threads: 1 }),
    );
    const [map] = model.inside?.attentionMaps() ?? [];
    expect(map).toMatchObject({ heads: 2, windows: 1, queries: 16, keys: 16 });
    const batch = noisePictures(2, 8);
    const { values, scores } = await gradientsOf(model, { batch, wrt: [map.name], targets: [0] });
    expect(values[0].shape).toEqual([2, 2, 16, 16]);
    const classified = await model.classify(batch, { score: 'logit' });
    expect(scores.data).toBeAllClose([classified.data[0], classified.data[4]], {
      rtol: 0,
      atol: 5e-5,
    });
  });
});
