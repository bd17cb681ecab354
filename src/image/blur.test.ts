import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeNpy } from '../tensor/npy.ts';
import { tensor } from '../tensor/tensor.ts';
import { convolvePlanes, gaussianBlur, gaussianKernel, riseBlur, riseBlurKernel } from './blur.ts';

interface Maps {
  shape: number[];
  values: string;
}

const recorded = JSON.parse(readFileSync(new URL('./fixtures/blur.json', import.meta.url), 'utf8'));
const toTensor = ({ shape, values }: Maps) =>
  tensor(shape, new Float32Array(new Uint8Array(Buffer.from(values, 'base64')).buffer));
const source = toTensor(recorded.source);
const referenceKernel = new URL(
  '../../../shared/reference/causal/blur_kernel.npy',
  import.meta.url,
);

describe('gaussianBlur', () => {
  it.each(recorded.gaussian as (Maps & { kernelSize: number; sigma: number })[])(
    'equals torchvision: $kernelSize taps, sigma $sigma',
    (c) => {
      expect(gaussianBlur(source, c)).toBeAllClose(toTensor(c), { rtol: 0, atol: 1e-6 });
    },
  );

  it('uses 8 sigma + 1 taps, rounded up to odd, if no size is given', () => {
    for (const [sigma, kernelSize] of [
      [0.5, 5],
      [1.1, 11],
      [2, 17],
    ]) {
      expect(gaussianBlur(source, { sigma })).toEqual(gaussianBlur(source, { sigma, kernelSize }));
    }
  });

  it('keeps a constant plane, even if the kernel is wider than the plane', () => {
    const plane = tensor([1, 1, 3], new Float32Array(3).fill(0.25));
    expect(
      [...gaussianBlur(plane, { sigma: 9 }).data].every((v) => Math.abs(v - 0.25) < 1e-7),
    ).toBe(true);
  });

  it('refuses an even kernel, a sigma of 0 and a tensor without planes', () => {
    expect(() => gaussianBlur(source, { sigma: 1, kernelSize: 4 })).toThrow(/odd size/);
    expect(() => gaussianBlur(source, { sigma: 0 })).toThrow(/sigma above 0/);
    expect(() => gaussianBlur(tensor([5]), { sigma: 1 })).toThrow(/\[\.\.\., h, w\]/);
  });
});

describe('gaussianKernel', () => {
  it('is exp(-x²/2σ²), normalised', () => {
    const e = Math.exp(-0.5);
    expect([...gaussianKernel(3, 1)]).toEqual([e / (1 + 2 * e), 1 / (1 + 2 * e), e / (1 + 2 * e)]);
  });
});

describe('convolvePlanes', () => {
  it('equals conv2d with the kernel on the channel diagonal and padding k//2', () => {
    expect(convolvePlanes(source, toTensor(recorded.kernel))).toBeAllClose(
      toTensor(recorded.convolved),
      { rtol: 0, atol: 1e-6 },
    );
  });

  it('refuses even kernels and kernels with channels', () => {
    expect(() => convolvePlanes(source, tensor([2, 3]))).toThrow(/odd sides/);
    expect(() => convolvePlanes(source, tensor([1, 3, 3]))).toThrow(/odd sides/);
  });
});

describe("RISE's blur", () => {
  it('has a kernel of sum 1, symmetric, flatter than a cut Gaussian', () => {
    const { shape, data } = riseBlurKernel();
    expect(shape).toEqual([11, 11]);
    expect(data.reduce((sum, v) => sum + v, 0)).toBeCloseTo(1, 6);
    expect(data).toEqual(data.slice().reverse());
    const cut = gaussianKernel(11, 5);
    // The centre over the middle of the left edge.
    expect(data[60] / data[55]).toBeLessThan(cut[5] / cut[0]);
    expect(data[60] / data[55]).toBeGreaterThan(1);
  });

  it('has the folded tails of a small case worked out by hand', () => {
    // size 1: everything folds onto the middle. size 3, sigma 0.25, radius 1: g_-1, g_0 + 0, g_1
    // and edges fold onto themselves.
    expect(riseBlurKernel(1, 5).data[0]).toBeCloseTo(1, 7);
    const g = gaussianKernel(3, 0.25);
    const kernel = riseBlurKernel(3, 0.25);
    expect(kernel.data[4]).toBeCloseTo(g[1] * g[1], 7);
    expect(kernel.data[3]).toBeCloseTo(g[0] * g[1], 7);
  });

  it('blurs as a convolution with that kernel and zeros beyond the border', () => {
    expect(riseBlur(source)).toBeAllClose(convolvePlanes(source, riseBlurKernel()), {
      rtol: 0,
      atol: 1e-6,
    });
    expect(riseBlur(source, { size: 5, sigma: 2 })).toBeAllClose(
      convolvePlanes(source, riseBlurKernel(5, 2)),
      { rtol: 0, atol: 1e-6 },
    );
    expect(riseBlur(tensor([1, 1], Float32Array.of(1))).data[0]).toBeCloseTo(
      riseBlurKernel().data[60],
      8,
    );
  });

  it('has the kernel that the published evaluation used', (context) => {
    if (!existsSync(referenceKernel))
      return context.skip('needs ../shared/reference/causal/blur_kernel.npy beside the repository');
    const expected = decodeNpy(readFileSync(referenceKernel), 'blur_kernel.npy');
    expect(riseBlurKernel(11, 5)).toBeAllClose(expected, { rtol: 0, atol: 1e-9 });
  });

  it('refuses an even size', () => {
    expect(() => riseBlurKernel(10, 5)).toThrow(/odd size/);
    expect(() => riseBlur(source, { sigma: Number.NaN })).toThrow(/sigma above 0/);
  });
});
