import { describe, expect, it } from 'vitest';
import { image } from '../../image/image.ts';
import { normalizePixels, type Preprocessing } from '../input/preprocessing.ts';
import { parseHuggingFaceConfig } from './hugging-face-config.ts';

const HALF = [0.5, 0.5, 0.5];
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];
const ofProcessor = (preprocessor: object, config?: object) =>
  parseHuggingFaceConfig({ preprocessor, config });

/** Files as they lie on the hub, shortened to what matters. */
const processors: [string, object, Partial<Preprocessing>, RegExp?][] = [
  [
    'ViT, as saved today',
    {
      image_processor_type: 'ViTImageProcessor',
      do_resize: true,
      do_rescale: true,
      do_normalize: true,
      rescale_factor: 0.00392156862745098,
      resample: 2,
      size: { height: 224, width: 224 },
      image_mean: HALF,
      image_std: HALF,
    },
    {
      size: [224, 224],
      resize: 'stretch',
      mean: HALF,
      std: HALF,
      colour: 'RGB',
      scale: '0-1',
      filter: 'bilinear',
    },
  ],
  [
    'ViT, as saved in 2021',
    {
      do_normalize: true,
      do_resize: true,
      feature_extractor_type: 'ViTFeatureExtractor',
      image_mean: HALF,
      image_std: HALF,
      resample: 2,
      size: 224,
    },
    { size: [224, 224], resize: 'stretch', filter: 'bilinear' },
  ],
  [
    'a fast processor',
    {
      image_processor_type: 'ViTImageProcessorFast',
      size: { height: 384, width: 384 },
      resample: 3,
      image_mean: HALF,
      image_std: HALF,
    },
    { size: [384, 384], filter: 'bicubic' },
  ],
  [
    'DeiT stretches to 256 and cuts out 224',
    {
      feature_extractor_type: 'DeiTFeatureExtractor',
      size: 256,
      crop_size: 224,
      do_center_crop: true,
      resample: 3,
      image_mean: MEAN,
      image_std: STD,
    },
    {
      size: [224, 224],
      resize: 'crop',
      stretchedSize: [256, 256],
      mean: MEAN,
      std: STD,
      filter: 'bicubic',
    },
  ],
  [
    'BEiT without a crop',
    {
      feature_extractor_type: 'BeitFeatureExtractor',
      size: 224,
      crop_size: 224,
      do_center_crop: false,
      resample: 2,
      image_mean: HALF,
      image_std: HALF,
    },
    { size: [224, 224], resize: 'stretch' },
  ],
  [
    'ResNet under ConvNext: 224 / 0.875 = 256, then 224',
    {
      crop_pct: 0.875,
      feature_extractor_type: 'ConvNextFeatureExtractor',
      image_mean: MEAN,
      image_std: STD,
      resample: 3,
      size: 224,
    },
    { size: [224, 224], resize: 'crop', shorterSide: 256, filter: 'bicubic' },
  ],
  [
    'ConvNext from 384 on stretches',
    {
      image_processor_type: 'ConvNextImageProcessor',
      crop_pct: 0.875,
      size: { shortest_edge: 384 },
      resample: 3,
      image_mean: MEAN,
      image_std: STD,
    },
    { size: [384, 384], resize: 'stretch' },
  ],
  [
    'ConvNext rounds down',
    {
      image_processor_type: 'ConvNextImageProcessor',
      crop_pct: 0.95,
      size: { shortest_edge: 224 },
      image_mean: MEAN,
      image_std: STD,
    },
    { shorterSide: 235, filter: 'bilinear' },
  ],
  [
    'MobileNetV2',
    {
      image_processor_type: 'MobileNetV2ImageProcessor',
      do_center_crop: true,
      crop_size: { height: 224, width: 224 },
      size: { shortest_edge: 256 },
      resample: 2,
      image_mean: HALF,
      image_std: HALF,
    },
    { size: [224, 224], resize: 'crop', shorterSide: 256 },
  ],
  [
    'EfficientNet divides by std twice',
    {
      image_processor_type: 'EfficientNetImageProcessor',
      do_center_crop: false,
      crop_size: { height: 289, width: 289 },
      size: { height: 224, width: 224 },
      include_top: true,
      image_mean: MEAN,
      image_std: [0.5, 0.25, 0.5],
      resample: 0,
    },
    {
      size: [224, 224],
      resize: 'stretch',
      mean: MEAN,
      std: [0.25, 0.0625, 0.25],
      filter: 'nearest',
    },
  ],
  [
    'rescaling to -1…1 with an offset',
    {
      image_processor_type: 'EfficientNetImageProcessor',
      rescale_factor: 1 / 127.5,
      rescale_offset: true,
      do_normalize: false,
      include_top: false,
      size: { height: 64, width: 64 },
    },
    { scale: '0-255', mean: [127.5, 127.5, 127.5], std: [127.5, 127.5, 127.5] },
  ],
  [
    'no rescaling',
    {
      image_processor_type: 'ViTImageProcessor',
      do_rescale: false,
      do_normalize: true,
      image_mean: [104, 117, 123],
      image_std: [1, 1, 1],
    },
    { scale: '0-255', mean: [104, 117, 123], std: [1, 1, 1] },
  ],
  [
    'MobileViT takes BGR and does not normalise',
    {
      feature_extractor_type: 'MobileViTFeatureExtractor',
      crop_size: 256,
      do_center_crop: true,
      do_flip_channel_order: true,
      resample: 2,
      size: 288,
    },
    {
      size: [256, 256],
      resize: 'crop',
      shorterSide: 288,
      colour: 'BGR',
      mean: [0, 0, 0],
      std: [1, 1, 1],
      scale: '0-1',
    },
  ],
  [
    'BiT, as DINOv2 uses it',
    {
      image_processor_type: 'BitImageProcessor',
      crop_size: { height: 224, width: 224 },
      do_center_crop: true,
      size: { shortest_edge: 256 },
      resample: 3,
      image_mean: MEAN,
      image_std: STD,
    },
    { size: [224, 224], resize: 'crop', shorterSide: 256, filter: 'bicubic' },
  ],
  [
    'CLIP, all by default',
    { image_processor_type: 'CLIPImageProcessor' },
    {
      size: [224, 224],
      resize: 'crop',
      shorterSide: 224,
      mean: [0.48145466, 0.4578275, 0.40821073],
      filter: 'bicubic',
    },
  ],
  [
    'LeViT',
    {
      feature_extractor_type: 'LevitFeatureExtractor',
      size: 224,
      crop_size: 224,
      do_center_crop: true,
      image_mean: MEAN,
      image_std: STD,
      resample: 3,
    },
    { size: [224, 224], shorterSide: 256 },
  ],
  [
    'PoolFormer',
    {
      feature_extractor_type: 'PoolFormerFeatureExtractor',
      size: 224,
      crop_pct: 0.9,
      crop_size: 224,
      image_mean: MEAN,
      image_std: STD,
      resample: 3,
    },
    { size: [224, 224], shorterSide: 248 },
  ],
  [
    'Perceiver',
    {
      feature_extractor_type: 'PerceiverFeatureExtractor',
      crop_size: 256,
      size: 224,
      do_center_crop: true,
      image_mean: MEAN,
      image_std: STD,
      resample: 3,
    },
    { size: [224, 224], shorterSide: 256 },
  ],
  [
    'one channel',
    {
      image_processor_type: 'ViTImageProcessor',
      size: { height: 28, width: 28 },
      image_mean: [0.5],
      image_std: [0.5],
    },
    { colour: 'grey', mean: [0.5], std: [0.5] },
  ],
  [
    'a processor without a name',
    { size: { height: 96, width: 128 } },
    { size: [96, 128], resize: 'stretch', mean: MEAN, std: STD },
    /mean and standard deviation/,
  ],
  [
    'a size that varies',
    {
      image_processor_type: 'XImageProcessor',
      size: { shortest_edge: 224 },
      image_mean: HALF,
      image_std: HALF,
    },
    { size: [224, 224], resize: 'crop', shorterSide: 224 },
    /vary in size/,
  ],
  [
    'a limit on the longer side',
    {
      image_processor_type: 'XImageProcessor',
      size: { shortest_edge: 224, longest_edge: 300 },
      do_center_crop: true,
      crop_size: 224,
      image_mean: HALF,
      image_std: HALF,
    },
    { shorterSide: 224 },
    /longest_edge/,
  ],
  [
    'padding',
    { image_processor_type: 'ViTImageProcessor', do_pad: true },
    { size: [224, 224] },
    /do_pad/,
  ],
  [
    'a crop alone',
    { image_processor_type: 'CLIPImageProcessor', do_resize: false },
    { size: [224, 224], resize: 'crop', shorterSide: 224 },
    /without resizing/,
  ],
];

describe('preprocessor_config.json', () => {
  it.each(processors)('%s', (_, json, expected, warning) => {
    const { preprocessing, warnings } = ofProcessor(json);
    expect(preprocessing).toMatchObject(expected);
    expect(Object.values(preprocessing ?? {})).not.toContain(undefined);
    if (warning) expect(warnings).toEqual([expect.stringMatching(warning)]);
    else expect(warnings).toEqual([]);
  });

  it('finds the processor by the network if an old file does not name it', () => {
    const old = { size: 224, image_mean: MEAN, image_std: STD, resample: 3 };
    expect(ofProcessor(old, { model_type: 'resnet' }).preprocessing).toMatchObject({
      shorterSide: 256,
    });
    expect(ofProcessor(old, { model_type: 'vit' }).preprocessing).toMatchObject({
      resize: 'stretch',
    });
  });

  it.each([0, 1, 2, 3, 4, 5])('resample %i is the filter of Pillow', (resample) => {
    const names = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];
    expect(
      ofProcessor({ image_processor_type: 'ViTImageProcessor', resample }).preprocessing?.filter,
    ).toBe(names[resample]);
  });

  it('computes the same numbers as the formula of the processor', () => {
    const factor = 1 / 127.5;
    const { preprocessing } = ofProcessor({
      image_processor_type: 'VivitImageProcessor',
      size: { height: 1, width: 1 },
      rescale_factor: factor,
      offset: true,
      image_mean: [0.1, 0.2, 0.3],
      image_std: [0.4, 0.5, 0.6],
    });
    const { data } = normalizePixels(
      image(1, 1, Uint8Array.of(10, 128, 250)),
      preprocessing as Preprocessing,
    );
    [10, 128, 250].forEach((value, i) =>
      expect(data[i]).toBeCloseTo(
        (value * factor - 1 - [0.1, 0.2, 0.3][i]) / [0.4, 0.5, 0.6][i],
        5,
      ),
    );
  });

  it.each([
    [{ resample: 9 }, 'resample 9'],
    [{ size: 'large' }, 'size'],
    [{ image_std: [1, 0, 1], image_mean: [0, 0, 0] }, 'image_std'],
    [[], 'file'],
  ])('refuses %j', (json, message) => {
    expect(() => ofProcessor(json)).toThrow(
      expect.objectContaining({ code: 'model', message: expect.stringContaining(message) }),
    );
  });

  it('refuses a model that does not take pixels', () => {
    expect(() => ofProcessor({ feature_extractor_type: 'ImageGPTFeatureExtractor' })).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    );
  });
});
