/** Offsets (dy, dx) within a disk: dy² + dx² ≤ radius². */
function disk(radius: number): [number, number][] {
  const side = Array.from({ length: 2 * radius + 1 }, (_, i) => i - radius);
  return side.flatMap((dy) =>
    side.flatMap((dx): [number, number][] =>
      dy * dy + dx * dx <= radius * radius ? [[dy, dx]] : [],
    ),
  );
}

/** The parts of several segmentations, each dilated by a disk. The regions overlap. */
export class Regions {
  /** The pixels of each region, ascending. */
  readonly pixels: readonly Uint32Array[];
  /** For each pixel, the regions that contain it. */
  readonly at: readonly number[][];

  constructor(
    segmentations: readonly Int32Array[],
    height: number,
    width: number,
    dilation: number,
  ) {
    const offsets = disk(dilation);
    const at: number[][] = Array.from({ length: height * width }, () => []);
    let count = 0;
    // For each region, the last pixel that was added to it.
    const seen = new Int32Array(segmentations.length * height * width).fill(-1);
    for (const labels of segmentations) {
      const numbers = [...new Set(labels)].sort((a, b) => a - b);
      const order = new Map(numbers.map((label, i) => [label, count + i]));
      const regions = Int32Array.from(labels, (label) => order.get(label) as number);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const pixel = y * width + x;
          for (const [dy, dx] of offsets) {
            const [v, u] = [y + dy, x + dx];
            if (v < 0 || u < 0 || v >= height || u >= width) continue;
            const region = regions[v * width + u];
            if (seen[region] === pixel) continue;
            seen[region] = pixel;
            at[pixel].push(region);
          }
        }
      }
      count += numbers.length;
    }
    const pixels: number[][] = Array.from({ length: count }, () => []);
    at.forEach((regions, pixel) => {
      for (const region of regions) pixels[region].push(pixel);
    });
    this.pixels = pixels.map((list) => Uint32Array.from(list));
    this.at = at;
  }

  get count(): number {
    return this.pixels.length;
  }
}

/** How regions are ranked. */
export interface RankOptions {
  readonly algorithm: 'full' | 'fast';
  /** The least number of pixels that a region must add. */
  readonly minArea: number;
}

/** The uncovered part of each region: the number of its pixels, and the sum of their values. */
class Uncovered {
  readonly counts: Int32Array;
  readonly sums: Float64Array;
  private readonly regions: Regions;
  private readonly values: Float64Array;
  private readonly covered: Uint8Array;

  constructor(regions: Regions, values: Float64Array) {
    this.regions = regions;
    this.values = values;
    this.covered = new Uint8Array(values.length);
    this.counts = Int32Array.from(regions.pixels, (pixels) => pixels.length);
    this.sums = Float64Array.from(regions.pixels, (pixels) =>
      pixels.reduce((sum, pixel) => sum + values[pixel], 0),
    );
  }

  mean(region: number): number {
    return this.sums[region] / this.counts[region];
  }

  /** Covers a region. Writes `value` to `map` at the pixels that were not covered before. */
  cover(region: number, value: number, map: Float64Array): void {
    for (const pixel of this.regions.pixels[region]) {
      if (this.covered[pixel]) continue;
      this.covered[pixel] = 1;
      map[pixel] = value;
      for (const other of this.regions.at[pixel]) {
        this.counts[other]--;
        this.sums[other] -= this.values[pixel];
      }
    }
  }

  /** Writes the mean value of all uncovered pixels to these pixels. */
  fillRest(map: Float64Array): void {
    const rest = [...this.values.keys()].filter((pixel) => !this.covered[pixel]);
    const mean = rest.reduce((sum, pixel) => sum + this.values[pixel], 0) / rest.length;
    for (const pixel of rest) map[pixel] = mean;
  }
}

/**
 * The region whose uncovered pixels have the largest mean value. Of several, it is the first.
 * Undefined if no region adds at least `minArea` pixels.
 */
function best(uncovered: Uncovered, minArea: number): number | undefined {
  let found: number | undefined;
  for (let region = 0; region < uncovered.counts.length; region++) {
    if (uncovered.counts[region] < minArea) continue;
    if (found === undefined || uncovered.mean(region) > uncovered.mean(found)) found = region;
  }
  return found;
}

/**
 * Ranks the regions. Returns the number of regions that were added, and a map [H · W]: each pixel
 * has the mean value of the pixels that were added together with it.
 */
export function rankRegions(
  regions: Regions,
  values: Float64Array,
  { algorithm, minArea }: RankOptions,
): { map: Float64Array; added: number } {
  const map = new Float64Array(values.length);
  const uncovered = new Uncovered(regions, values);
  let added = 0;
  const add = (region: number): void => {
    uncovered.cover(region, uncovered.mean(region), map);
    added++;
  };
  if (algorithm === 'full') {
    for (
      let region = best(uncovered, minArea);
      region !== undefined;
      region = best(uncovered, minArea)
    )
      add(region);
  } else {
    const means = regions.pixels.map((_, region) => uncovered.mean(region));
    const order = [...means.keys()].sort((a, b) => means[b] - means[a]);
    for (const region of order) if (uncovered.counts[region] >= minArea) add(region);
  }
  uncovered.fillRest(map);
  return { map, added };
}
