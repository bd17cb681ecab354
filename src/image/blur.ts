import { FoveaError } from '../errors.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';

/** Options of `gaussianBlur`. */
export interface GaussianBlurOptions {
  /** Standard deviation in pixels, above 0. */
  readonly sigma: number;
  /**
   * Odd number of taps. Default: 8 sigma + 1, rounded up to odd, so the kernel ends at about four
   * sigma.
   */
  readonly kernelSize?: number;
}

/** Options of `riseBlur`. */
export interface RiseBlurOptions {
  /** Odd side of the kernel in pixels. Default: 11. */
  readonly size?: number;
  /** Standard deviation in pixels. Default: 5. */
  readonly sigma?: number;
}

/** Index in 0…n-1 of a position beyond the border, or -1 for a zero. */
type Border = (index: number, n: number) => number;

/** ... 2 1 | 0 1 2 ... n-1 | n-2 n-3 ...: the edge value is not repeated. */
const reflectInner: Border = (index, n) => {
  const period = Math.max(1, 2 * (n - 1));
  const i = ((index % period) + period) % period;
  return i < n ? i : period - i;
};

/** ... 1 0 | 0 1 2 ... n-1 | n-1 n-2 ...: the edge value is repeated. */
const reflectEdge: Border = (index, n) => {
  const i = ((index % (2 * n)) + 2 * n) % (2 * n);
  return i < n ? i : 2 * n - 1 - i;
};

const zeros: Border = (index, n) => (index < 0 || index >= n ? -1 : index);

function requireKernel(size: number, sigma: number): void {
  if (!(Number.isInteger(size) && size > 0 && size % 2 === 1)) {
    throw new FoveaError('usage', `a blur kernel needs an odd size above 0, got ${size}`);
  }
  if (!(sigma > 0 && sigma < Number.POSITIVE_INFINITY)) {
    throw new FoveaError('usage', `a blur needs a finite sigma above 0, got ${sigma}`);
  }
}

/** The sides [h, w] of the planes of `x`. */
function planeSize(x: Tensor): [height: number, width: number] {
  if (x.shape.length < 2)
    throw new FoveaError('usage', `a blur needs planes of shape [..., h, w], got [${x.shape}]`);
  return [x.shape[x.shape.length - 2], x.shape[x.shape.length - 1]];
}

/**
 * `size` samples of a Gaussian, normalised: g_i = exp(-(i - (size-1)/2)² / (2 sigma²)) / sum.
 * @throws FoveaError `usage` for an even size or a sigma that is not above 0.
 */
export function gaussianKernel(size: number, sigma: number): Float64Array {
  requireKernel(size, sigma);
  const kernel = Float64Array.from({ length: size }, (_, i) =>
    Math.exp(-((i - (size - 1) / 2) ** 2) / (2 * sigma * sigma)),
  );
  const total = kernel.reduce((sum, g) => sum + g, 0);
  return kernel.map((g) => g / total);
}

/**
 * Blurs each of the planes [..., h, w] by a Gaussian. Beyond the border the plane is mirrored
 * without repeating the edge, as in OpenCV (BORDER_REFLECT_101) and torchvision's `gaussian_blur`;
 * the default kernel size is OpenCV's for float images.
 * @throws FoveaError `usage` for an even kernel size or a sigma that is not above 0.
 */
export function gaussianBlur(x: Tensor, options: GaussianBlurOptions): Tensor {
  const { sigma, kernelSize = Math.round(8 * sigma + 1) | 1 } = options;
  return separableConvolution(x, gaussianKernel(kernelSize, sigma), reflectInner);
}

/**
 * The kernel [size, size] of RISE's insertion metric: the result of SciPy's
 * `gaussian_filter(delta, sigma)` for a single 1 in the middle of a size×size square. SciPy cuts
 * the Gaussian at four sigma and mirrors it at the border of that square. So the tails fold back
 * inside, and the kernel is flatter than a cut Gaussian. Values are above 0 and sum to 1. Source:
 * `gkern` in the authors' evaluation code (Petsiuk et al., RISE, BMVC 2018).
 */
export function riseBlurKernel(size = 11, sigma = 5): Tensor {
  const profile = riseProfile(size, sigma);
  return tensor(
    [size, size],
    Float32Array.from(
      { length: size * size },
      (_, i) => profile[Math.floor(i / size)] * profile[i % size],
    ),
  );
}

/**
 * One factor of the separable RISE kernel: p_i = sum_j g_j [mirror(i + j) = middle], j = -round(4
 * sigma) … round(4 sigma).
 */
function riseProfile(size: number, sigma: number): Float64Array {
  requireKernel(size, sigma);
  const radius = Math.floor(4 * sigma + 0.5);
  const gaussian = gaussianKernel(2 * radius + 1, sigma);
  const profile = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    for (let j = -radius; j <= radius; j++) {
      if (reflectEdge(i + j, size) === (size - 1) / 2) profile[i] += gaussian[j + radius];
    }
  }
  return profile;
}

/**
 * Blurs planes [..., h, w] for the start picture of RISE's insertion metric: by `riseBlurKernel`
 * with zeros beyond the border, so the border becomes darker. In the published protocol `x` is the
 * normalised model input, where 0 is the mean colour.
 */
export function riseBlur(x: Tensor, { size = 11, sigma = 5 }: RiseBlurOptions = {}): Tensor {
  return separableConvolution(x, riseProfile(size, sigma), zeros);
}

/**
 * Convolves each of the planes [..., h, w] with the same kernel [kh, kw] of odd sides. There are
 * zeros beyond the border, and the size stays the same. As usual in deep learning, the kernel is
 * not flipped: out[y, x] = sum_ij kernel[i, j] · in[y+i-kh÷2, x+j-kw÷2], which is PyTorch's
 * `conv2d(padding=k//2)` with the kernel on the channel diagonal.
 * @throws FoveaError `usage` if the kernel is not two-dimensional with odd sides.
 */
export function convolvePlanes(x: Tensor, kernel: Tensor): Tensor {
  const [height, width] = planeSize(x);
  const [kh, kw] = kernel.shape;
  if (kernel.shape.length !== 2 || kh % 2 === 0 || kw % 2 === 0) {
    throw new FoveaError(
      'usage',
      `a convolution needs a kernel [kh, kw] of odd sides, got [${kernel.shape}]`,
    );
  }
  const out = new Float64Array(x.data.length);
  for (let row = 0; row < x.data.length / width; row++) {
    const y = row % height;
    for (let i = Math.max(0, (kh >> 1) - y); i < Math.min(kh, height - y + (kh >> 1)); i++) {
      const from = (row + i - (kh >> 1)) * width;
      for (let j = 0; j < kw; j++) {
        const shift = j - (kw >> 1);
        const weight = kernel.data[i * kw + j];
        const last = Math.min(width, width - shift);
        for (let c = Math.max(0, -shift); c < last; c++)
          out[row * width + c] += weight * x.data[from + c + shift];
      }
    }
  }
  return tensor(x.shape, Float32Array.from(out));
}

/** Convolves the rows, then the columns, of every plane with the same symmetric kernel. */
function separableConvolution(x: Tensor, kernel: Float64Array, border: Border): Tensor {
  const [height, width] = planeSize(x);
  const result = tensor(x.shape);
  const wide = new Float64Array(height * width);
  for (let from = 0; from < x.data.length; from += height * width) {
    convolveRows(x.data.subarray(from, from + height * width), width, kernel, border, wide);
    convolveColumns(wide, width, kernel, border, result.data.subarray(from, from + height * width));
  }
  return result;
}

function convolveRows(
  source: Float32Array,
  width: number,
  kernel: Float64Array,
  border: Border,
  out: Float64Array,
): void {
  const radius = kernel.length >> 1;
  const line = new Float64Array(width + 2 * radius);
  const index = Int32Array.from(line, (_, i) => border(i - radius, width));
  for (let from = 0; from < source.length; from += width) {
    for (let i = 0; i < line.length; i++) line[i] = index[i] < 0 ? 0 : source[from + index[i]];
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) sum += kernel[k] * line[x + k];
      out[from + x] = sum;
    }
  }
}

function convolveColumns(
  source: Float64Array,
  width: number,
  kernel: Float64Array,
  border: Border,
  out: Float32Array,
): void {
  const height = source.length / width;
  const sum = new Float64Array(width);
  for (let y = 0; y < height; y++) {
    sum.fill(0);
    for (let k = 0; k < kernel.length; k++) {
      const row = border(y + k - (kernel.length >> 1), height);
      if (row < 0) continue;
      for (let x = 0; x < width; x++) sum[x] += kernel[k] * source[row * width + x];
    }
    out.set(sum, y * width);
  }
}
