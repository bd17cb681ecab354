import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { checkRequest, slicePerturbation } from './perturb-request.ts';
import { countOf, type Grids, type Perturbation, withEmptyWindow } from './perturbation.ts';
import { renderGrid, renderMask, renderPerturbation } from './render-perturbation.ts';

const identity = (n: number) =>
  tensor(
    [n, n],
    Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
  );
const windows: Perturbation = {
  kind: 'windows',
  windows: Int32Array.of(0, 1, 2, 3, -5, -5, 1, 1, 3, 3, 9, 9, 2, 2, 2, 2),
  keep: 'outside',
};
const ranks: Perturbation = {
  kind: 'ranks',
  ranks: Int32Array.of(3, 0, 2, 1),
  bounds: Int32Array.of(0, 2, 2, 4, 1, 1),
};
const masks: Perturbation = {
  kind: 'masks',
  masks: tensor([2, 2, 2], Float32Array.of(0, 1, 0.5, 0.25, 1, 1, 1, 1)),
};
const segments: Perturbation = {
  kind: 'segments',
  labels: Int32Array.of(0, 1, 1, 2),
  bits: tensor([2, 3], Float32Array.of(1, 0, 0.5, 0, 1, 1)),
};
const grids: Grids = {
  kind: 'grids',
  grids: tensor([2, 2, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
  rows: tensor([3, 2], Float32Array.of(1, 0, 0.5, 0.5, 0, 1)),
  columns: identity(2),
  shifts: Int32Array.of(0, 0, 1, 0),
};

describe('renderMask', () => {
  it('hides a window, half-open and clipped to the picture', () => {
    expect([...renderMask(windows, 0, 4, 4)]).toEqual([
      1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ]);
    expect([...renderMask(windows, 1, 4, 4)].filter((v) => v === 0)).toHaveLength(1);
    expect(renderMask(windows, 2, 4, 4)[15]).toBe(0);
    // An empty window hides nothing.
    expect([...renderMask(windows, 3, 4, 4)].every((v) => v === 1)).toBe(true);
  });

  it('keeps only the window with keep: inside', () => {
    const inside: Perturbation = { ...windows, keep: 'inside' } as Perturbation;
    expect([...renderMask(inside, 0, 4, 4)]).toEqual(
      [...renderMask(windows, 0, 4, 4)].map((v) => 1 - v),
    );
  });

  it('keeps the pixels whose rank lies in the half-open bounds', () => {
    expect([...renderMask(ranks, 0, 2, 2)]).toEqual([0, 1, 0, 1]);
    expect([...renderMask(ranks, 1, 2, 2)]).toEqual([1, 0, 1, 0]);
    expect([...renderMask(ranks, 2, 2, 2)]).toEqual([0, 0, 0, 0]);
  });

  it('keeps the share of its segment for each pixel', () => {
    expect([...renderMask(segments, 0, 2, 2)]).toEqual([1, 0, 0, 0.5]);
    expect([...renderMask(segments, 1, 2, 2)]).toEqual([0, 1, 1, 1]);
  });

  it('upsamples a grid by rows · grid · columnsᵀ, starting at its shift', () => {
    expect([...renderGrid(grids, 0, 2, 2)]).toEqual([1, 2, 2, 3]);
    expect([...renderGrid(grids, 1, 2, 2)]).toEqual([6, 7, 7, 8]);
  });
});

describe('slicePerturbation', () => {
  it.each([windows, ranks, segments, masks, grids])(
    'has the same masks as the whole ($kind)',
    (p) => {
      const side = p.kind === 'windows' ? 4 : 2;
      const part = slicePerturbation(p, 1, countOf(p));
      expect(countOf(part)).toBe(countOf(p) - 1);
      for (let n = 0; n < countOf(part); n++)
        expect([...renderMask(part, n, side, side)]).toEqual([...renderMask(p, n + 1, side, side)]);
    },
  );
});

describe('renderPerturbation', () => {
  it('is mask · input + (1 - mask) · baseline, per channel', () => {
    const input = tensor([1, 2, 2, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    const constant = renderPerturbation(
      input,
      tensor([1, 2, 1, 1], Float32Array.of(10, 20)),
      masks,
    );
    expect(constant.shape).toEqual([2, 2, 2, 2]);
    expect([...constant.data]).toEqual([10, 2, 6.5, 8.5, 20, 6, 13.5, 17, 1, 2, 3, 4, 5, 6, 7, 8]);
    const random = createRandom(3);
    const picture = tensor(
      [1, 2, 2, 2],
      Float32Array.from({ length: 8 }, () => random.normal()),
    );
    const full = renderPerturbation(input, picture, masks);
    expect(full.data[0]).toBe(picture.data[0]);
    expect(full.data[7]).toBeCloseTo(0.25 * 8 + 0.75 * picture.data[7], 6);
  });
});

describe('checkRequest', () => {
  const request = {
    input: tensor([1, 3, 4, 4]),
    baseline: tensor([1, 3, 1, 1]),
    perturbation: windows,
    targets: [0, 9],
  };

  it.each<[Perturbation, RegExp]>([
    [{ kind: 'windows', windows: new Int32Array(5), keep: 'inside' }, /four integers/],
    [masks, /masks are 2×2, the model's input is 4×4/],
    [ranks, /4 ranks for an input of 4×4/],
    [{ ...grids, shifts: Int32Array.of(0, 0, 2, 0) }, /shift \(0, 0\) of grid 0 leaves/],
    [segments, /4 labels for an input of 4×4/],
    [
      { ...segments, labels: new Int32Array(16).fill(3) },
      /label 3 is not a segment: expected 0 to 2/,
    ],
    [{ ...grids, columns: identity(3) }, /do not fit the grid/],
    [{ ...grids, shifts: Int32Array.of(0, 0) }, /2 grids need 4 shift values/],
  ])('refuses parts that do not fit (%#)', (p, message) => {
    expect(() => checkRequest({ ...request, perturbation: p }, [3, 4, 4], 10)).toThrow(message);
  });

  it.each([
    [{ targets: [10] }, 'target 10 is not a class: expected an index from 0 to 9'],
    [{ targets: [0, -1] }, 'target -1 is not a class'],
    [{ targets: [1.5] }, 'target 1.5 is not a class'],
    [{ input: tensor([1, 3, 1, 1]) }, 'the input is 1×3×1×1, expected 1×3×4×4'],
    [{ baseline: tensor([1, 3, 2, 2]) }, 'the baseline is 1×3×2×2, expected 1×3×4×4 or 1×3×1×1'],
  ])('refuses %j', (part, message) => {
    expect(() => checkRequest(request, [3, 4, 4], 10)).not.toThrow();
    expect(() => checkRequest({ ...request, ...part }, [3, 4, 4], 10)).toThrow(message);
  });
});

describe('withEmptyWindow', () => {
  it('accepts more windows than a call can have arguments', () => {
    const windows = Int32Array.from({ length: 200_000 }, (_, i) => i + 1);
    const all = withEmptyWindow(windows);
    expect(all.subarray(0, 4)).toEqual(new Int32Array(4));
    expect(all.subarray(4)).toEqual(windows);
  });
});
