import { FoveaError } from '../errors.ts';
import { gaussianFilter } from '../image/gaussian-filter.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Segmentation } from './superpixels.ts';

/** Options of `felzenszwalb`. */
export interface FelzenszwalbOptions {
  /**
   * Largest difference, times 255, at which two parts are joined. A larger scale gives larger
   * parts. Default: 1.
   */
  readonly scale?: number;
  /** Standard deviation in pixels of the blur before the segmentation. Default: 0.8. */
  readonly sigma?: number;
  /** Parts with fewer pixels are joined with a neighbour. Default: 20. */
  readonly minSize?: number;
}

/** Sets of pixels that grow together; the root of a set is its first pixel. */
class Forest {
  private readonly parents: Int32Array;
  readonly sizes: Int32Array;
  /** The largest weight of an edge inside each set. */
  readonly inner: Float64Array;

  constructor(count: number) {
    this.parents = Int32Array.from({ length: count }, (_, i) => i);
    this.sizes = new Int32Array(count).fill(1);
    this.inner = new Float64Array(count);
  }

  root(pixel: number): number {
    let root = pixel;
    while (this.parents[root] !== root) root = this.parents[root];
    for (let at = pixel; at !== root; ) {
      const next = this.parents[at];
      this.parents[at] = root;
      at = next;
    }
    return root;
  }

  join(a: number, b: number, weight: number): void {
    const [root, other] = a < b ? [a, b] : [b, a];
    this.parents[other] = root;
    this.sizes[root] += this.sizes[other];
    this.inner[root] = weight;
  }
}

/**
 * Edges between each pixel and its neighbours to the right, below and on both diagonals: pairs of
 * pixels and their weights.
 */
function edgesOf(
  planes: readonly Float64Array[],
  height: number,
  width: number,
): { pairs: Int32Array; weights: Float64Array } {
  const count = 4 * height * width;
  const pairs = new Int32Array(2 * count);
  const weights = new Float64Array(count);
  let n = 0;
  const connect = (a: number, b: number): void => {
    let sum = 0;
    for (const plane of planes) sum += (plane[a] - plane[b]) ** 2;
    pairs[2 * n] = a;
    pairs[2 * n + 1] = b;
    weights[n++] = Math.sqrt(sum);
  };
  for (const [dy, dx] of [
    [0, 1],
    [1, 0],
    [1, 1],
    [1, -1],
  ]) {
    for (let y = 0; y + dy < height; y++) {
      for (let x = Math.max(0, -dx); x < Math.min(width, width - dx); x++)
        connect(y * width + x, (y + dy) * width + x + dx);
    }
  }
  return { pairs: pairs.subarray(0, 2 * n), weights: weights.subarray(0, n) };
}

function checkOptions({
  scale = 1,
  sigma = 0.8,
  minSize = 20,
}: FelzenszwalbOptions): Required<FelzenszwalbOptions> {
  if (!(scale > 0 && Number.isFinite(scale)))
    throw new FoveaError('usage', `felzenszwalb scale ${scale}: expected a finite number above 0`);
  if (!(sigma >= 0 && Number.isFinite(sigma)))
    throw new FoveaError('usage', `felzenszwalb sigma ${sigma}: expected a finite number from 0`);
  if (!(Number.isInteger(minSize) && minSize >= 1))
    throw new FoveaError(
      'usage',
      `felzenszwalb minSize ${minSize}: expected a whole number from 1`,
    );
  return { scale, sigma, minSize };
}

/** Numbers the sets by the order of their first pixels. */
function numbered(forest: Forest, width: number, height: number): Segmentation {
  const numbers = new Map<number, number>();
  const labels = Int32Array.from({ length: width * height }, (_, pixel) => {
    const root = forest.root(pixel);
    const number = numbers.get(root) ?? numbers.size;
    numbers.set(root, number);
    return number;
  });
  return { labels, width, height, count: numbers.size };
}

/**
 * Superpixels by graph-based segmentation: edges between neighbouring pixels, by increasing colour
 * difference w, join two parts where
 *
 *   w < min( Int(A) + k / |A|, Int(B) + k / |B| )
 *
 * with Int the largest edge inside a part and k = scale / 255, which is scikit-image's unit.
 * `image` holds planes [channels, h, w], or [1, channels, h, w]. Source: Felzenszwalb &
 * Huttenlocher, Efficient Graph-Based Image Segmentation, IJCV 2004.
 * @throws FoveaError `usage` for options out of range.
 */
export function felzenszwalb(image: Tensor, options: FelzenszwalbOptions = {}): Segmentation {
  const { scale, sigma, minSize } = checkOptions(options);
  const [height, width] = image.shape.slice(-2);
  const area = height * width;
  const smooth = gaussianFilter(height, width, sigma, 'mirror');
  const planes = Array.from({ length: image.data.length / area }, (_, c) =>
    smooth(Float64Array.from(image.data.subarray(c * area, (c + 1) * area))),
  );
  const { pairs, weights } = edgesOf(planes, height, width);
  const order = Uint32Array.from(weights, (_, i) => i).sort(
    (a, b) => weights[a] - weights[b] || a - b,
  );
  const forest = new Forest(area);
  const k = scale / 255;
  for (const edge of order) {
    const [a, b] = [forest.root(pairs[2 * edge]), forest.root(pairs[2 * edge + 1])];
    const most = Math.min(
      forest.inner[a] + k / forest.sizes[a],
      forest.inner[b] + k / forest.sizes[b],
    );
    if (a !== b && weights[edge] < most) forest.join(a, b, weights[edge]);
  }
  for (const edge of order) {
    const [a, b] = [forest.root(pairs[2 * edge]), forest.root(pairs[2 * edge + 1])];
    if (a !== b && Math.min(forest.sizes[a], forest.sizes[b]) < minSize)
      forest.join(a, b, forest.inner[a]);
  }
  return numbered(forest, width, height);
}
