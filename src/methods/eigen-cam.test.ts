import { expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { firstComponent } from './eigen-cam.ts';
import { describeCamReference } from './fixtures/reference.ts';

it('of a feature map of rank one is that map, with its sign', () => {
  const [cells, channels] = [
    [1, 2, 0, 3, 1, 5],
    [2, -1, 0.5, 4],
  ];
  const a = tensor([4, 2, 3], Float32Array.from(channels.flatMap((c) => cells.map((x) => c * x))));
  const length = Math.hypot(...channels);
  firstComponent(a, false).data.forEach((value, i) =>
    expect(value).toBeCloseTo(length * cells[i], 4),
  );
  firstComponent(a, true).data.forEach((value, i) =>
    expect(value).toBeCloseTo(length * (cells[i] - 2), 4),
  );
});

it('of a feature map as fine as the picture is found too', () => {
  const cells = Float32Array.from({ length: 500 * 500 }, (_, i) => i % 7);
  const map = firstComponent(tensor([1, 500, 500], cells), false);
  for (const i of [1, 6, 499 * 500]) expect(map.data[i]).toBeCloseTo(cells[i], 3);
});

it('of nothing is nothing', () => {
  expect(firstComponent(tensor([2, 2, 2]), false).data).toEqual(new Float32Array(4));
});

describeCamReference('eigen-cam', 'EigenCAM', { upToSign: true });
