import type { Image } from '../image/image.ts';
import { rgbToLab } from './lab.ts';
import { renumber } from './renumber.ts';
import type { Segmentation } from './superpixels.ts';

/** Options of `slic`. */
export interface SlicOptions {
  /** Approximate number of segments. Default: 50. */
  readonly segments?: number;
  /** Weight of position against colour; high values give squares. Default: 10. */
  readonly compactness?: number;
  /** Rounds of k-means. Default: 10. */
  readonly iterations?: number;
}

/** The start centres, five values per centre: L*, a*, b*, y, x. */
function startCentres(lab: Float64Array, width: number, height: number, step: number): number[][] {
  const along = (length: number) => {
    const count = Math.max(1, Math.round(length / step));
    return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * length) / count));
  };
  return along(height).flatMap((y) =>
    along(width).map((x) => [...lab.subarray(3 * (y * width + x), 3 * (y * width + x) + 3), y, x]),
  );
}

/**
 * Assigns each pixel to the centre that is nearest in colour and position, among the centres within
 * `step` of it.
 */
function assign(
  lab: Float64Array,
  width: number,
  height: number,
  centres: readonly number[][],
  step: number,
  compactness: number,
): Int32Array {
  const nearest = new Float64Array(width * height).fill(Number.POSITIVE_INFINITY);
  const labels = new Int32Array(width * height);
  const weight = (compactness / step) ** 2;
  const reach = Math.ceil(2 * step);
  centres.forEach(([l, a, b, cy, cx], k) => {
    for (let y = Math.max(0, Math.ceil(cy - reach)); y <= Math.min(height - 1, cy + reach); y++) {
      for (let x = Math.max(0, Math.ceil(cx - reach)); x <= Math.min(width - 1, cx + reach); x++) {
        const i = y * width + x;
        const d =
          (lab[3 * i] - l) ** 2 +
          (lab[3 * i + 1] - a) ** 2 +
          (lab[3 * i + 2] - b) ** 2 +
          weight * ((y - cy) ** 2 + (x - cx) ** 2);
        if (d < nearest[i]) {
          nearest[i] = d;
          labels[i] = k;
        }
      }
    }
  });
  return labels;
}

function meansOf(
  lab: Float64Array,
  labels: Int32Array,
  width: number,
  centres: readonly number[][],
): number[][] {
  const sums = centres.map(() => [0, 0, 0, 0, 0]);
  const counts = new Int32Array(centres.length);
  labels.forEach((k, i) => {
    const values = [lab[3 * i], lab[3 * i + 1], lab[3 * i + 2], Math.floor(i / width), i % width];
    for (let c = 0; c < 5; c++) sums[k][c] += values[c];
    counts[k]++;
  });
  return sums.map((sum, k) => (counts[k] > 0 ? sum.map((value) => value / counts[k]) : centres[k]));
}

/**
 * The connected parts of equal labels; those smaller than `least` pixels join the part before them
 * or above.
 */
function connect(labels: Int32Array, width: number, height: number, least: number): Int32Array {
  const result = new Int32Array(labels.length).fill(-1);
  let next = 0;
  for (let start = 0; start < labels.length; start++) {
    if (result[start] >= 0) continue;
    const part = [start];
    result[start] = next;
    for (let at = 0; at < part.length; at++) {
      const i = part[at];
      const [y, x] = [Math.floor(i / width), i % width];
      const near = [
        y > 0 ? i - width : -1,
        y + 1 < height ? i + width : -1,
        x > 0 ? i - 1 : -1,
        x + 1 < width ? i + 1 : -1,
      ];
      for (const j of near) {
        if (j < 0 || result[j] >= 0 || labels[j] !== labels[i]) continue;
        result[j] = next;
        part.push(j);
      }
    }
    const neighbour =
      start % width > 0 ? result[start - 1] : start >= width ? result[start - width] : -1;
    if (part.length < least && neighbour >= 0) for (const i of part) result[i] = neighbour;
    else next++;
  }
  return result;
}

/**
 * SLIC superpixels (Achanta et al., TPAMI 2012): k-means in L*a*b* and position, from centres on a
 * grid of step S, with d² = |Δcolour|² + (compactness / S)² |Δposition|². The window of each centre
 * extends to 2 S. Parts that are not connected, or smaller than a quarter of S², are joined to a
 * neighbour.
 */
export function slic(picture: Image, options: SlicOptions = {}): Segmentation {
  const { segments = 50, compactness = 10, iterations = 10 } = options;
  const { width, height } = picture;
  const lab = rgbToLab(picture);
  const step = Math.sqrt((width * height) / Math.max(1, segments));
  let centres = startCentres(lab, width, height, step);
  let labels = assign(lab, width, height, centres, step, compactness);
  for (let i = 1; i < iterations; i++) {
    centres = meansOf(lab, labels, width, centres);
    labels = assign(lab, width, height, centres, step, compactness);
  }
  return renumber(connect(labels, width, height, (step * step) / 4), width, height);
}
