import type { Image } from '../image/image.ts';
import { rgbToLab } from './lab.ts';
import { renumber } from './renumber.ts';
import type { Segmentation } from './superpixels.ts';

/** Options of `quickshift`; the defaults are LIME's. */
export interface QuickshiftOptions {
  /** Width of the Gaussian kernel in pixels. Windows extend to three widths. Default: 4. */
  readonly kernelSize?: number;
  /**
   * Length of the longest link to a denser pixel. Longer links are cut and separate segments.
   * Default: 200.
   */
  readonly maxDistance?: number;
  /** Weight of colour (in L*a*b*) against position. Default: 0.2. */
  readonly ratio?: number;
}

/**
 * Quick shift (Vedaldi & Soatto, ECCV 2008): every pixel is linked to the nearest pixel of higher
 * density, in colour and position together. Long links are cut; the remaining trees are the
 * segments. The density is a Parzen estimate, sum over the window of exp( -d² / (2 kernelSize²) ).
 * If two pixels are equally dense, the first one counts as denser.
 */
export function quickshift(picture: Image, options: QuickshiftOptions = {}): Segmentation {
  const { kernelSize = 4, maxDistance = 200, ratio = 0.2 } = options;
  const { width, height } = picture;
  const colours = rgbToLab(picture).map((value) => ratio * value);
  const reach = Math.ceil(3 * kernelSize);
  const distance = (a: number, b: number, dy: number, dx: number): number =>
    (colours[3 * a] - colours[3 * b]) ** 2 +
    (colours[3 * a + 1] - colours[3 * b + 1]) ** 2 +
    (colours[3 * a + 2] - colours[3 * b + 2]) ** 2 +
    dy * dy +
    dx * dx;
  const eachNear = (
    y: number,
    x: number,
    visit: (pixel: number, dy: number, dx: number) => void,
  ): void => {
    for (let v = Math.max(0, y - reach); v <= Math.min(height - 1, y + reach); v++) {
      for (let u = Math.max(0, x - reach); u <= Math.min(width - 1, x + reach); u++)
        visit(v * width + u, v - y, u - x);
    }
  };

  const density = new Float64Array(width * height);
  for (let i = 0; i < density.length; i++) {
    eachNear(Math.floor(i / width), i % width, (j, dy, dx) => {
      density[i] += Math.exp(-distance(i, j, dy, dx) / (2 * kernelSize * kernelSize));
    });
  }
  const parent = Int32Array.from(density, (_, i) => i);
  for (let i = 0; i < density.length; i++) {
    let closest = maxDistance * maxDistance;
    eachNear(Math.floor(i / width), i % width, (j, dy, dx) => {
      if (density[j] < density[i] || (density[j] === density[i] && j >= i)) return;
      const d = distance(i, j, dy, dx);
      if (d < closest || (d === closest && parent[i] === i)) {
        closest = d;
        parent[i] = j;
      }
    });
  }
  const rootOf = (i: number): number => {
    let root = i;
    while (parent[root] !== root) {
      parent[root] = parent[parent[root]];
      root = parent[root];
    }
    return root;
  };
  return renumber(
    parent.map((_, i) => rootOf(i)),
    width,
    height,
  );
}
