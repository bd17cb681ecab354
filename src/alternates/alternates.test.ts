import { describe, expect, it } from 'vitest';
import { image } from '../image/image.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { graphBuilder, modelOf, writeModel } from '../onnx/index.ts';
import { createNodeRuntime } from '../runtime/onnxruntime-node.ts';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { alternates } from './alternates.ts';
import { FILLERS, pictureFiller } from './fillers.ts';
import { createInpainter } from './inpainting.ts';
import { salientBox, salientRegion } from './salient-region.ts';

const SIDE = 56;
/** Class 0 while the middle is more red than blue. */
const redMiddle = createFunctionModel({
  name: 'red middle',
  labels: ['red', 'blue'],
  preprocessing: { ...IMAGENET_PREPROCESSING, mean: [0, 0, 0], std: [1, 1, 1], size: [SIDE, SIDE] },
  output: 'probabilities',
  classify: async (batch: Tensor) => {
    const size = batch.data.length / batch.shape[0];
    return tensor(
      [batch.shape[0], 2],
      Float32Array.from({ length: 2 * batch.shape[0] }, (_, k) => {
        const n = k >> 1;
        let [red, blue] = [1e-6, 1e-6];
        for (let y = 20; y < 36; y++)
          for (let x = 20; x < 36; x++) {
            red += batch.data[n * size + y * SIDE + x];
            blue += batch.data[n * size + 2 * SIDE * SIDE + y * SIDE + x];
          }
        return (k % 2 === 0 ? red : blue) / (red + blue);
      }),
    );
  },
});
const plain = (r: number, g: number, b: number) =>
  image(
    SIDE,
    SIDE,
    Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => [r, g, b][i % 3]),
  );
const map = tensor(
  [SIDE, SIDE],
  Float32Array.from({ length: SIDE * SIDE }, (_, i) =>
    Math.exp(-((Math.floor(i / SIDE) - 28) ** 2 + ((i % SIDE) - 28) ** 2) / 200),
  ),
);

describe('the salient region', () => {
  it('contains the given share of its box, at the highest values of the map', () => {
    const box = salientBox(map, 0.5);
    expect(box[2] - box[0]).toBe(box[3] - box[1]);
    const area = (box[2] - box[0]) * (box[3] - box[1]);
    for (const share of [0.5, 0.9]) {
      const region = salientRegion(map, box, share);
      expect(region.reduce((sum, value) => sum + value, 0)).toBe(Math.round(share * area));
      const inside = map.data.filter((_, i) => region[i]);
      const left = map.data.filter(
        (_, i) =>
          !region[i] &&
          Math.floor(i / SIDE) >= box[0] &&
          Math.floor(i / SIDE) < box[2] &&
          i % SIDE >= box[1] &&
          i % SIDE < box[3],
      );
      expect(Math.min(...inside)).toBeGreaterThanOrEqual(Math.max(...left));
    }
  });
});

describe('alternates', () => {
  it('keeps and counts the candidates that leave the top class unchanged', async () => {
    const fillers = {
      red: pictureFiller([plain(250, 0, 0)]),
      blue: pictureFiller([plain(0, 0, 250)]),
    };
    const { variations, accuracy } = await alternates(redMiddle, plain(200, 30, 30), map, {
      target: 0,
      shares: [0.9],
      candidates: 6,
      fillers,
    });
    expect(variations.map(({ filler, stays }) => `${filler} ${stays}`)).toEqual(
      Array.from({ length: 6 }, (_, k) => (k % 2 === 0 ? 'red true' : 'blue false')),
    );
    expect(accuracy).toEqual([{ share: 0.9, stay: 3, candidates: 6, accuracy: 0.5 }]);
    expect(variations.map(({ winner }) => winner.label)).toEqual(
      Array.from({ length: 6 }, (_, k) => (k % 2 === 0 ? 'red' : 'blue')),
    );
    for (const { stays, probability, winner } of variations)
      expect(winner.probability).toBeCloseTo(stays ? probability : 1 - probability, 5);
    // pixels outside the region do not change
    for (const { picture } of variations)
      expect([...picture.data.subarray(0, 3)]).toEqual([200, 30, 30]);
  });

  it('is the same for the same seed and any batch size', async () => {
    const random = createRandom(2);
    const noise = image(
      SIDE,
      SIDE,
      Uint8Array.from({ length: 3 * SIDE * SIDE }, () => random.integer(256)),
    );
    const run = (extra = {}) =>
      alternates(redMiddle, noise, map, { target: 0, candidates: 8, shares: [0.5], ...extra });
    const base = await run();
    expect(new Set(base.variations.map(({ filler }) => filler))).toEqual(
      new Set(Object.keys(FILLERS)),
    );
    expect((await run({ batchSize: 3 })).variations).toEqual(base.variations);
    expect((await run({ seed: 1 })).variations[0].picture.data).not.toEqual(
      base.variations[0].picture.data,
    );
  });

  it('refuses a map of another size and shares out of range', async () => {
    await expect(
      alternates(redMiddle, plain(1, 2, 3), tensor([2, 2]), { target: 0 }),
    ).rejects.toThrow('the map is 2×2, expected 56×56');
    await expect(
      alternates(redMiddle, plain(1, 2, 3), map, { target: 0, shares: [1.5] }),
    ).rejects.toThrow('share 1.5: expected');
  });
});

describe('createInpainter', () => {
  const region = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => Number(i % SIDE >= 28));

  it.each(['two inputs', 'four channels'])('runs an ONNX model with %s', async (kind) => {
    const b = graphBuilder({ opset: 13 });
    const picture =
      kind === 'two inputs'
        ? b.input('picture', 'float32', [1, 3, SIDE, SIDE])
        : b.input('both', 'float32', [1, 4, SIDE, SIDE]);
    const hole =
      kind === 'two inputs'
        ? b.input('hole', 'float32', [1, 1, SIDE, SIDE])
        : b.add('Gather', [picture, b.constant([3], [1], 'int64')], { axis: 1 });
    const colours =
      kind === 'two inputs'
        ? picture
        : b.add('Gather', [picture, b.constant([0, 1, 2], [3], 'int64')], { axis: 1 });
    b.output(b.add('Add', [colours, hole]), 'float32', [1, 3, SIDE, SIDE]); // white marks the hole
    const inpainter = await createInpainter(
      'white',
      writeModel(modelOf(b.finish())),
      await createNodeRuntime({ threads: 1 }),
    );
    const filled = await inpainter.fill(plain(100, 50, 20), region, createRandom(0));
    expect([...filled.data.subarray(0, 3)]).toEqual([100, 50, 20]);
    expect([...filled.data.subarray(3 * 40, 3 * 40 + 3)]).toEqual([255, 255, 255]);
    await inpainter.release();
  });

  it.each([
    ['[n, k]', [1, 3]],
    ['[n, k, 1, 1]', [1, 3, 1, 1]],
  ])(
    'of the pictures that a generator returns for %s, it takes the one that fits around the region',
    async (_, shape) => {
      const b = graphBuilder({ opset: 13 });
      const colours = b.add('Tanh', [
        b.add('Reshape', [
          b.input('latent', 'float32', shape),
          b.constant([1, 3, 1, 1], [4], 'int64'),
        ]),
      ]);
      b.output(
        b.add('Expand', [colours, b.constant([1, 3, 8, 8], [4], 'int64')]),
        'float32',
        [1, 3, 8, 8],
      ); // one colour, -1 … 1
      const generator = await createInpainter(
        'colours',
        writeModel(modelOf(b.finish())),
        await createNodeRuntime({ threads: 1 }),
      );
      expect(generator.varies).toBe(true);
      const distance = async (seed: number, [r, g, blue]: number[]) => {
        const { data } = await generator.fill(plain(r, g, blue), region, createRandom(seed));
        return Math.abs(data[0] - r) + Math.abs(data[1] - g) + Math.abs(data[2] - blue);
      };
      let [sum, any] = [0, 0];
      for (let seed = 0; seed < 10; seed++) {
        const colour = [seed % 2 ? 230 : 30, 120, seed % 3 ? 30 : 230];
        sum += (await distance(seed, colour)) / 10;
        const random = createRandom(seed);
        any +=
          colour.reduce(
            (all, each) => all + Math.abs(each - 127.5 * (1 + Math.tanh(random.normal()))),
            0,
          ) / 10; // the first draw
      }
      expect(sum).toBeLessThan(0.6 * any);
      const again = async (seed: number) => [
        ...(await generator.fill(plain(9, 99, 9), region, createRandom(seed))).data.subarray(0, 3),
      ];
      expect(await again(1)).toEqual(await again(1));
      expect(await again(1)).not.toEqual(await again(2));
      await generator.release();
    },
  );

  it('lists the accepted inputs in the error', async () => {
    const b = graphBuilder({ opset: 13 });
    b.output(b.add('Relu', [b.input('two', 'float32', [1, 2, 9, 9])]), 'float32', [1, 2, 9, 9]);
    await expect(
      createInpainter(
        'odd.onnx',
        writeModel(modelOf(b.finish())),
        await createNodeRuntime({ threads: 1 }),
      ),
    ).rejects.toThrow(
      /odd.onnx is neither an inpainting model nor a generator: expected a picture \[n, 3, H, W\].*found two \[1, 2, 9, 9\]/,
    );
  });
});
