import * as v from 'valibot';
import { FoveaError } from '../errors.ts';
import { interpolate } from '../image/interpolate.ts';
import { nextTask } from '../next-task.ts';
import { integer, option } from '../options.ts';
import { felzenszwalb } from '../superpixels/felzenszwalb.ts';
import { extent } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod, type MethodContext } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import { outputOption } from './shared/gradients.ts';
import { gradientSeries } from './shared/path.ts';
import { quadrature } from './shared/quadrature.ts';
import { Regions, rankRegions } from './shared/regions.ts';
import { scaledArea, scaledLength } from './shared/scale.ts';

/** Felzenszwalb's parameters, as in the paper: several scales, for a picture in [-1, 1]. */
const SCALES = [50, 100, 150, 250, 500, 1200];
const SEGMENTATION = { sigma: 0.8, minSize: 150 };
/** The side, in pixels, of the square picture that is segmented. */
const SIDE = 224;

/** The picture, stretched to [-1, 1] and resized to the size for which the scales were chosen. */
function forSegmentation(input: Tensor): Tensor {
  const [, channels, height, width] = input.shape;
  const [min, max] = extent(input.data);
  const spread = max > min ? max - min : 1;
  const planes = tensor(
    [channels, height, width],
    input.data.map((value) => (2 * (value - min)) / spread - 1),
  );
  return height === SIDE && width === SIDE
    ? planes
    : interpolate(planes, SIDE, SIDE, { mode: 'bicubic' });
}

/**
 * The labels [H · W] of one segmentation per scale. If the picture has another size, each pixel
 * gets the label of the nearest pixel of the segmentation.
 */
async function segmentations(input: Tensor): Promise<Int32Array[]> {
  const [, , height, width] = input.shape;
  const planes = forSegmentation(input);
  const found: Int32Array[] = [];
  for (const scale of SCALES) {
    await nextTask();
    const { labels } = felzenszwalb(planes, { scale, ...SEGMENTATION });
    const nearest = (i: number): number => {
      const [y, x] = [Math.floor(i / width), i % width];
      return labels[
        Math.floor(((y + 0.5) * SIDE) / height) * SIDE + Math.floor(((x + 0.5) * SIDE) / width)
      ];
    };
    found.push(
      height === SIDE && width === SIDE
        ? labels
        : Int32Array.from({ length: height * width }, (_, i) => nearest(i)),
    );
  }
  return found;
}

function ownSegmentations(
  given: readonly (readonly number[])[],
  height: number,
  width: number,
): Int32Array[] {
  return given.map((labels, i) => {
    if (labels.length === height * width) return Int32Array.from(labels);
    throw new FoveaError(
      'usage',
      `xrai.segments[${i}] has ${labels.length} labels: expected one label per pixel of the ` +
        `input, ${height}×${width}`,
    );
  });
}

interface XraiOptions {
  readonly steps: number;
  readonly output: 'logit' | 'probability';
}

/**
 * The mean of the integrated gradients from two baselines, the least and the largest value of the
 * input. The value of a pixel, [H · W], is the largest over its channels.
 */
async function pixelAttribution(
  context: MethodContext<XraiOptions>,
  target: number,
  onProgress: (share: number) => void,
): Promise<Float64Array> {
  const { model, input, options, batchSize } = context;
  const area = input.shape[2] * input.shape[3];
  const total = new Float64Array(input.data.length);
  const { nodes, weights } = quadrature('trapezoid', options.steps);
  for (const [b, baseline] of extent(input.data).entries()) {
    await gradientSeries({
      model,
      input,
      target,
      score: options.output,
      batchSize,
      count: options.steps,
      render: (k, picture) =>
        picture.forEach((_, i) => (picture[i] = baseline + nodes[k] * (input.data[i] - baseline))),
      take: (k, gradient) =>
        gradient.forEach((g, i) => (total[i] += 0.5 * weights[k] * g * (input.data[i] - baseline))),
      onProgress: (done) => onProgress((b + done / options.steps) / 2),
    });
  }
  return Float64Array.from({ length: area }, (_, i) => {
    let most = total[i];
    for (let at = i + area; at < total.length; at += area) most = Math.max(most, total[at]);
    return most;
  });
}

/**
 * XRAI (Kapishnikov et al. 2019): ranks regions by their mean integrated gradient. The candidates
 * are the parts of several segmentations. In each step, the part whose uncovered pixels have the
 * largest mean attribution is added, and these pixels get this mean. The map [H, W] is signed and
 * in the unit of the score.
 */
export const xrai = defineMethod({
  name: 'xrai',
  title: 'XRAI',
  family: 'gradient',
  paper:
    'Kapishnikov et al., XRAI: Better Attributions Through Regions, ICCV 2019, arXiv:1906.02825',
  needs: ['gradients'],
  signed: true,
  cost: '2 · steps forward and backward: 200',
  options: v.object({
    steps: option(
      v.pipe(integer, v.minValue(1), v.maxValue(10_000)),
      100,
      'number of points on each of the two paths; the paths start at the least and at the ' +
        'largest value of the input',
    ),
    algorithm: option(
      v.picklist(['full', 'fast']),
      'full',
      'full: the best part is searched again after each added part; fast: parts are added in ' +
        'the order of their own means',
    ),
    minArea: v.pipe(
      v.optional(v.pipe(integer, v.minValue(1))),
      v.description(
        'least number of pixels that a part must add; if not given: 50, or less for inputs ' +
          'under 224 pixels, in proportion to the area',
      ),
    ),
    dilation: v.pipe(
      v.optional(v.pipe(integer, v.minValue(0), v.maxValue(50))),
      v.description(
        'radius, in pixels, of the disk that dilates the parts; if not given: 5, or less for ' +
          'inputs under 224 pixels, in proportion to the shorter side',
      ),
    ),
    segments: v.pipe(
      v.optional(v.pipe(v.array(v.array(v.pipe(integer, v.minValue(0)))), v.minLength(1))),
      v.description(
        'your own segmentations instead of the automatic ones: each is a list with one label ' +
          'per pixel of the input, row by row',
      ),
    ),
    output: outputOption,
  }),
  withBudget(options, budget, { targets }) {
    requireBudget('xrai', budget, 2 * targets);
    return { ...options, steps: Math.min(options.steps, Math.floor(budget / targets / 2)) };
  },

  async explain(context) {
    const { input, targets, options, progress } = context;
    const [, , height, width] = input.shape;
    const labels = options.segments
      ? ownSegmentations(options.segments, height, width)
      : await segmentations(input);
    const dilation = options.dilation ?? scaledLength(5, height, width);
    const minArea = options.minArea ?? scaledArea(50, height, width);
    const regions = new Regions(labels, height, width, dilation);
    const attributions: Attribution[] = [];
    for (const [t, { index }] of targets.entries()) {
      const attribution = await pixelAttribution(context, index, (share) =>
        progress((t + share) / targets.length),
      );
      const { map, added } = rankRegions(regions, attribution, {
        algorithm: options.algorithm,
        minArea,
      });
      attributions.push({
        map: tensor([height, width], Float32Array.from(map)),
        extras: { regions: regions.count, added },
      });
    }
    return attributions;
  },
});
