import * as v from 'valibot';
import { checkJson } from '../../check-json.ts';
import { FoveaError } from '../../errors.ts';
import type { ResizeFilter } from '../../image/resize.ts';
import { integer, number } from '../../numbers.ts';
import { ownEntry } from '../../own-entry.ts';
import { at } from '../../tensor/at.ts';
import { IMAGENET_PREPROCESSING } from '../input/imagenet.ts';
import type { Preprocessing } from '../input/preprocessing.ts';

const side = v.pipe(integer, v.gtValue(0), v.maxValue(16384));
const channels = v.union([number, v.pipe(v.array(number), v.minLength(1), v.maxLength(3))]);
const sizeSchema = v.union([
  side,
  v.strictTuple([side, side]),
  v.looseObject({
    height: v.nullish(side),
    width: v.nullish(side),
    shortest_edge: v.nullish(side),
    longest_edge: v.nullish(side),
  }),
]);
const flag = v.nullish(v.boolean());

const processorSchema = v.looseObject({
  image_processor_type: v.nullish(v.string()),
  feature_extractor_type: v.nullish(v.string()),
  do_resize: flag,
  size: v.nullish(sizeSchema),
  resample: v.nullish(integer),
  do_center_crop: flag,
  crop_size: v.nullish(sizeSchema),
  crop_pct: v.nullish(v.pipe(number, v.gtValue(0), v.maxValue(1))),
  do_rescale: flag,
  rescale_factor: v.nullish(v.pipe(number, v.gtValue(0))),
  rescale_offset: flag,
  offset: flag,
  do_normalize: flag,
  image_mean: v.nullish(channels),
  image_std: v.nullish(channels),
  include_top: flag,
  do_flip_channel_order: flag,
  do_pad: flag,
});

type Processor = v.InferOutput<typeof processorSchema>;
type Size = v.InferOutput<typeof sizeSchema>;
type Pair = readonly [height: number, width: number];

/**
 * The defaults of a kind of processor for missing fields, and the meaning of a single number as
 * `size`.
 */
interface Family {
  readonly size: Size;
  /** Whether a single number is height and width; otherwise it is the shorter side. */
  readonly square?: boolean;
  readonly cropSize?: Size;
  readonly resample: number;
  readonly colours: 'half' | 'imagenet' | 'clip' | 'none';
}

const COLOURS = {
  half: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  imagenet: { mean: IMAGENET_PREPROCESSING.mean, std: IMAGENET_PREPROCESSING.std },
  clip: { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
  none: { mean: [0, 0, 0], std: [1, 1, 1] },
} as const;

const [BILINEAR, BICUBIC] = [2, 3];

/** The defaults of the transformers library, by the class of the processor without its suffix. */
const FAMILIES: Readonly<Record<string, Family>> = {
  ViT: { size: 224, square: true, resample: BILINEAR, colours: 'half' },
  DeiT: { size: 256, square: true, cropSize: 224, resample: BICUBIC, colours: 'half' },
  Beit: { size: 224, square: true, resample: BICUBIC, colours: 'half' },
  Siglip: { size: 224, square: true, resample: BICUBIC, colours: 'half' },
  EfficientNet: { size: 346, square: true, resample: BICUBIC, colours: 'half' },
  ConvNext: { size: 384, resample: BILINEAR, colours: 'half' },
  MobileNetV1: { size: 256, cropSize: 224, resample: BILINEAR, colours: 'half' },
  MobileNetV2: { size: 256, cropSize: 224, resample: BILINEAR, colours: 'half' },
  MobileViT: { size: 224, cropSize: 256, resample: BILINEAR, colours: 'none' },
  Bit: { size: 224, cropSize: 224, resample: BICUBIC, colours: 'clip' },
  CLIP: { size: 224, cropSize: 224, resample: BICUBIC, colours: 'clip' },
  ViTHybrid: { size: 224, cropSize: 224, resample: BICUBIC, colours: 'clip' },
  Levit: { size: 224, cropSize: 224, resample: BICUBIC, colours: 'imagenet' },
  PoolFormer: { size: 224, cropSize: 224, resample: BICUBIC, colours: 'imagenet' },
  EfficientFormer: { size: 224, cropSize: 224, resample: BICUBIC, colours: 'imagenet' },
  Perceiver: { size: 224, square: true, cropSize: 256, resample: BICUBIC, colours: 'imagenet' },
};

/** The processor of each network, for old files that do not name it. */
const FAMILY_OF_NETWORK: Readonly<Record<string, string>> = {
  vit: 'ViT',
  deit: 'DeiT',
  beit: 'Beit',
  data2vec: 'Beit',
  'data2vec-vision': 'Beit',
  siglip: 'Siglip',
  swin: 'ViT',
  swinv2: 'ViT',
  swiftformer: 'ViT',
  nat: 'ViT',
  dinat: 'ViT',
  efficientnet: 'EfficientNet',
  convnext: 'ConvNext',
  convnextv2: 'ConvNext',
  resnet: 'ConvNext',
  regnet: 'ConvNext',
  cvt: 'ConvNext',
  van: 'ConvNext',
  poolformer: 'PoolFormer',
  mobilenet_v1: 'MobileNetV1',
  mobilenet_v2: 'MobileNetV2',
  mobilevit: 'MobileViT',
  mobilevitv2: 'MobileViT',
  bit: 'Bit',
  focalnet: 'Bit',
  dinov2: 'Bit',
  clip: 'CLIP',
  levit: 'Levit',
  'vit-hybrid': 'ViTHybrid',
  efficientformer: 'EfficientFormer',
  perceiver: 'Perceiver',
};

/** Pillow's codes of its resampling filters. */
const FILTERS: readonly ResizeFilter[] = [
  'nearest',
  'lanczos',
  'bilinear',
  'bicubic',
  'box',
  'hamming',
];

type Geometry = Partial<Pick<Preprocessing, 'size' | 'resize' | 'shorterSide' | 'stretchedSize'>>;
type Warn = (sentence: string) => void;

const pairOf = (size: Size | null | undefined): Pair | undefined => {
  if (typeof size === 'number') return [size, size];
  if (Array.isArray(size)) return [size[0], size[1]];
  const edges = size as Exclude<Size, number | number[]> | null | undefined;
  if (edges?.height && edges.width) return [edges.height, edges.width];
  return edges?.shortest_edge ? [edges.shortest_edge, edges.shortest_edge] : undefined;
};

const crop = (size: Pair, shorterSide: number): Geometry => ({
  size,
  resize: 'crop',
  shorterSide: Math.trunc(shorterSide),
});
const stretch = (size: Pair): Geometry => ({ size, resize: 'stretch' });

/** The length of the shorter side after resizing; undefined if height and width are given. */
function shortestEdge(size: Size, square: boolean): number | undefined {
  if (typeof size === 'number') return square ? undefined : size;
  return Array.isArray(size)
    ? undefined
    : ((size as { shortest_edge?: number | null }).shortest_edge ?? undefined);
}

/** The geometry of families that resize in a special way; undefined for the others. */
function specialGeometry(
  family: string,
  processor: Processor,
  size: Size,
  cropped: Pair | undefined,
): Geometry | undefined {
  const edge = shortestEdge(size, false) ?? pairOf(size)?.[0];
  if (edge === undefined) return undefined;
  const share = processor.crop_pct ?? undefined;
  // ConvNext crops below 384 pixels, and stretches from 384 pixels on.
  if (family === 'ConvNext')
    return edge < 384 ? crop([edge, edge], edge / (share ?? 224 / 256)) : stretch([edge, edge]);
  if (family === 'Levit') return crop(cropped ?? [edge, edge], (256 / 224) * edge);
  if (family === 'PoolFormer') return crop(cropped ?? [edge, edge], edge / (share ?? 0.9));
  // Perceiver crops first and resizes then. The picture is the same up to rounding.
  if (family === 'Perceiver' && cropped) return crop([edge, edge], Math.max(edge, cropped[0]));
  return undefined;
}

function geometryOf(family: string, processor: Processor, warn: Warn): Geometry {
  const defaults: Family | undefined = ownEntry(FAMILIES, family);
  const size = processor.size ?? defaults?.size;
  const wantsCrop = processor.do_center_crop ?? defaults?.cropSize !== undefined;
  const cropped = wantsCrop ? pairOf(processor.crop_size ?? defaults?.cropSize ?? size) : undefined;
  if (processor.do_pad) warn('it pads pictures (do_pad), which is left out');
  if (processor.do_resize === false) {
    if (!cropped) return {};
    warn(
      'it crops the centre without resizing; Fovea first resizes the shorter side to the size ' +
        'of the crop',
    );
    return crop(cropped, Math.min(...cropped));
  }
  if (size === undefined) {
    warn('it does not say the size of the input');
    return {};
  }
  const special = specialGeometry(family, processor, size, cropped);
  if (special) return special;
  const edge = shortestEdge(size, defaults === undefined || defaults.square === true);
  if (typeof size === 'object' && 'longest_edge' in size && size.longest_edge)
    warn('its limit on the longer side (longest_edge) is left out');
  if (edge !== undefined) {
    if (!cropped)
      warn(
        'it keeps the shape of pictures, so inputs vary in size; Fovea crops the centre ' +
          'instead',
      );
    return crop(cropped ?? [edge, edge], edge);
  }
  const pair = pairOf(size);
  if (!pair) return {};
  if (!cropped || cropped.join() === pair.join()) return stretch(pair);
  return { size: cropped, resize: 'crop', stretchedSize: pair };
}

const listOf = (value: number | number[]): number[] =>
  typeof value === 'number' ? [value, value, value] : value;

type Colours = Pick<Preprocessing, 'mean' | 'std' | 'colour' | 'scale'>;

/**
 * Mean and std for the scale `0-1`, or for `0-255` if the factor f is not 1/255: (v · f - o - mean)
 * / std = (v - (mean + o) / f) / (std / f).
 */
function coloursOf(family: string, processor: Processor, warn: Warn): Colours {
  const defaults = COLOURS[ownEntry(FAMILIES, family)?.colours ?? 'imagenet'];
  const normalizes = processor.do_normalize ?? family !== 'MobileViT';
  if (
    normalizes &&
    ownEntry(FAMILIES, family) === undefined &&
    !(processor.image_mean && processor.image_std)
  ) {
    warn('it does not say the mean and standard deviation, so those of ImageNet are assumed');
  }
  const mean = normalizes ? listOf(processor.image_mean ?? [...defaults.mean]) : [0];
  const std = listOf(processor.image_std ?? [...defaults.std]);
  // EfficientNet divides by std once more.
  const secondStd = family === 'EfficientNet' && (processor.include_top ?? true);
  const divisors = std.map((value) => (normalizes ? value : 1) * (secondStd ? value : 1));
  const rescales = processor.do_rescale ?? true;
  const factor = rescales ? (processor.rescale_factor ?? 1 / 255) : 1;
  const offset = rescales && (processor.rescale_offset ?? processor.offset ?? false) ? 1 : 0;
  const flipped = processor.do_flip_channel_order ?? family === 'MobileViT';
  const isGrey = Array.isArray(processor.image_mean) && processor.image_mean.length === 1;
  const count = isGrey ? 1 : 3;
  const channelOf = (list: readonly number[], i: number) => list[i] ?? at(list, 0);
  const isUnit = Math.abs(factor * 255 - 1) < 1e-6;
  const unit = isUnit ? 1 : factor;
  const tidy = (value: number) => (isUnit ? value : Number(value.toPrecision(12)));
  return {
    colour: isGrey ? 'grey' : flipped ? 'BGR' : 'RGB',
    scale: isUnit ? '0-1' : '0-255',
    mean: Array.from({ length: count }, (_, i) => tidy((channelOf(mean, i) + offset) / unit)),
    std: Array.from({ length: count }, (_, i) => tidy(channelOf(divisors, i) / unit)),
  };
}

function filterOf(family: string, processor: Processor): ResizeFilter {
  const code = processor.resample ?? ownEntry(FAMILIES, family)?.resample ?? BILINEAR;
  const filter = FILTERS[code];
  if (filter) return filter;
  throw new FoveaError(
    'model',
    `preprocessor_config.json: resample ${code} is not a filter of Pillow: expected 0 ` +
      '(nearest) to 5 (hamming)',
  );
}

function familyOf(processor: Processor, network: string | undefined): string {
  const type = processor.image_processor_type ?? processor.feature_extractor_type;
  const family =
    type?.replace(/(ImageProcessor|FeatureExtractor)(Fast|Pil)?$/, '') ??
    ownEntry(FAMILY_OF_NETWORK, network ?? '');
  return family ?? (processor.crop_pct ? 'ConvNext' : '');
}

/**
 * Reads the preprocessing from a Hugging Face `preprocessor_config.json`. `network` is the
 * `model_type` of `config.json`, for old files that do not name their processor. Adds a warning for
 * every step that Fovea does in a slightly different way.
 * @throws FoveaError `model` if the file is malformed, `unsupported` if the input is not a picture.
 */
export function parseImageProcessor(
  json: unknown,
  network?: string,
): { preprocessing: Partial<Preprocessing>; warnings: string[] } {
  const { value: processor, problems } = checkJson(processorSchema, json, 'the file');
  if (problems) throw new FoveaError('model', `preprocessor_config.json: ${problems.join('; ')}`);
  const family = familyOf(processor, network);
  if (family === 'ImageGPT')
    throw new FoveaError(
      'unsupported',
      'preprocessor_config.json: ImageGPT takes color clusters instead of pixels, which cannot ' +
        'be explained as a picture',
    );
  const warnings: string[] = [];
  const type = processor.image_processor_type ?? processor.feature_extractor_type;
  const warn = (sentence: string) =>
    void warnings.push(`preprocessor_config.json${type ? ` (${type})` : ''}: ${sentence}`);
  const preprocessing = {
    ...geometryOf(family, processor, warn),
    ...coloursOf(family, processor, warn),
    filter: filterOf(family, processor),
  };
  if (preprocessing.std.some((value) => !(value > 0)))
    throw new FoveaError('model', 'preprocessor_config.json: image_std must be above 0');
  return { preprocessing, warnings };
}
