import { expect, test } from 'vitest';
import { halfRelu } from '../../examples/plugins/backward-rules.js';
import colormapPlugin from '../../examples/plugins/colormap.js';
import { explain } from '../../src/explain.ts';
import { image } from '../../src/image/image.ts';
import {
  denseNet,
  densePicture,
  denseWeights,
  headWeights,
} from '../../src/methods/fixtures/dense-net.ts';
import { gradient } from '../../src/methods/gradient.ts';
import { registerPlugin } from '../../src/plugin.ts';
import { sum } from '../../src/tensor/statistics.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { overlay } from '../../src/visualize/overlay.ts';

// dS/dx_i = Σ_j w_ij · 1/2 · v_jt: each ReLU halves the gradient, whether it is active or not.
test('the backward rules of the how-to page halve the gradient at each ReLU', async () => {
  const model = await denseNet([0.25, -0.5, 0.1]);
  for (const target of [0, 1]) {
    const { map, manifest } = await explain(model, densePicture, {
      method: gradient,
      target,
      options: { rules: halfRelu },
    });
    const expected = denseWeights.map((row) =>
      sum(row.map((w, j) => w * 0.5 * headWeights[j][target])),
    );
    expect(map).toBeAllClose(expected);
    expect(manifest.modelCalls).toEqual({ forward: 1, backward: 1 });
  }
});

// out = (1 - a) · picture + a · color(v) with a = 0.8 v, and color(v) = (0, 255 v, 0).
test('the color map of the how-to page is drawn over a picture, from black to green', () => {
  registerPlugin(colormapPlugin);
  const picture = image(4, 1, new Uint8Array(12).fill(100));
  const map = tensor([1, 4], Float32Array.of(0, 1, 2, 5));
  const drawn = overlay(picture, map, { colormap: 'night', percentiles: [0, 100] });
  const expected = [0, 0.2, 0.4, 1].flatMap((v) => {
    const a = 0.8 * v;
    const [faded, green] = [(1 - a) * 100, (1 - a) * 100 + a * 255 * v];
    return [faded, green, faded].map(Math.round);
  });
  expect([...drawn.data]).toEqual(expected);
});
