import { expect, it } from 'vitest';
import * as core from './core.ts';
import { image } from './image/image.ts';
import * as front from './index.ts';
import * as node from './node.ts';
import * as web from './web.ts';

it('node and web export everything of fovea, and the same names for loading', () => {
  for (const name of Object.keys(front)) expect(node).toHaveProperty(name);
  for (const name of Object.keys(core)) expect(web).toHaveProperty(name);
  for (const name of ['loadModel', 'readImage']) {
    expect(node).toHaveProperty(name, expect.any(Function));
    expect(web).toHaveProperty(name, expect.any(Function));
  }
});

it('a function is a model, and can be explained', async () => {
  const model = front.createFunctionModel({
    name: 'left',
    labels: ['left', 'right'],
    preprocessing: { ...front.IMAGENET_PREPROCESSING, size: [16, 16] },
    output: 'probabilities',
    classify: async ({ shape: [n], data }) => {
      const mean = (from: number) =>
        1 / (1 + Math.exp(-data.subarray(from, from + 128).reduce((sum, x) => sum + x, 0) / 128));
      return front.tensor(
        [n, 2],
        Float32Array.from({ length: 2 * n }, (_, i) =>
          i % 2 === 0 ? mean(768 * (i / 2)) : 1 - mean(768 * ((i - 1) / 2)),
        ),
      );
    },
  });
  const { map, target } = await front.explain(model, image(16, 16), {
    method: 'occlusion',
    options: { window: 4, stride: 4 },
  });
  expect(map.shape).toEqual([16, 16]);
  expect(target.label).toBe('right');
});
