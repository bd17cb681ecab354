import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { image } from '../../image/image.ts';
import { fitImage, inputRegion, type Preprocessing } from '../input/preprocessing.ts';
import { parseHuggingFaceConfig } from './hugging-face-config.ts';
import { parseModelJson } from './model-config.ts';
import { parsePreprocessing } from './parse-preprocessing.ts';

const HALF = [0.5, 0.5, 0.5];
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

describe('config.json', () => {
  it('orders labels by number', () => {
    const id2label = {
      '10': 'k',
      '2': 'c',
      '0': 'a',
      '1': 'b',
      '3': 'd',
      '4': 'e',
      '5': 'f',
      '6': 'g',
      '7': 'h',
      '8': 'i',
      '9': 'j',
    };
    expect(parseHuggingFaceConfig({ config: { id2label } }).labels).toEqual([...'abcdefghijk']);
    expect(parseHuggingFaceConfig({ config: { label2id: { cat: 1, dog: '0' } } }).labels).toEqual([
      'dog',
      'cat',
    ]);
  });

  it('refuses labels with a gap or a duplicate number', () => {
    expect(() => parseHuggingFaceConfig({ config: { id2label: { 0: 'a', 2: 'c' } } })).toThrow(
      /numbered 0 to 1 once each, got 2/,
    );
    expect(() => parseHuggingFaceConfig({ config: { label2id: { a: 0, b: 0 } } })).toThrow(
      /once each/,
    );
  });

  it('reads timm', () => {
    const pretrained_cfg = {
      input_size: [3, 224, 224],
      interpolation: 'bicubic',
      crop_pct: 0.9,
      crop_mode: 'center',
      mean: MEAN,
      std: STD,
    };
    const config = {
      architecture: 'deit3',
      label_names: ['n01', 'n02'],
      label_descriptions: { n01: 'tench' },
      pretrained_cfg,
    };
    expect(parseHuggingFaceConfig({ config })).toEqual({
      labels: ['tench', 'n02'],
      preprocessing: {
        size: [224, 224],
        resize: 'crop',
        shorterSide: 248,
        mean: MEAN,
        std: STD,
        colour: 'RGB',
        scale: '0-1',
        filter: 'bicubic',
      },
      warnings: [],
    });
    const squash = parseHuggingFaceConfig({
      config: { pretrained_cfg: { ...pretrained_cfg, crop_mode: 'squash', crop_pct: 1 } },
    });
    expect(squash.preprocessing).toMatchObject({ resize: 'stretch' });
    const odd = parseHuggingFaceConfig({
      config: {
        pretrained_cfg: { ...pretrained_cfg, crop_mode: 'border', interpolation: 'random' },
      },
    });
    expect(odd.warnings).toHaveLength(2);
  });

  it.each([
    [{ std: [0.5, -1, 0.5] }, /config.json: pretrained_cfg.std.1: expected >0, got -1/],
    [{ std: [0.5, 0, 0.5] }, /config.json: pretrained_cfg.std.1: expected >0, got 0/],
    [{ mean: [0.5, Number.POSITIVE_INFINITY, 0.5] }, /config.json: pretrained_cfg.mean.1: /],
    [{ crop_pct: 1000 }, /config.json: pretrained_cfg.crop_pct: /],
    [{ crop_pct: 1e-9 }, /config.json: pretrained_cfg: shorterSide: /],
    [{ crop_pct: 0 }, /config.json: pretrained_cfg.crop_pct: /],
    [{ input_size: [3, 0, 32] }, /config.json: pretrained_cfg.input_size.1: /],
  ])('refuses %j of timm, naming the field', (change, message) => {
    const pretrained_cfg = { input_size: [3, 32, 32], ...change };
    expect(() => parseHuggingFaceConfig({ config: { pretrained_cfg } })).toThrow(
      expect.objectContaining({ code: 'model', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    { size: 224, crop_pct: 1e-9, image_processor_type: 'ConvNextImageProcessor' },
    { size: 224, image_mean: [1e308, 1, 1], rescale_factor: 1e-9 },
    { size: 224, image_std: [1, 1e-320, 1], rescale_factor: 1e300 },
  ])('refuses %j, whose sizes or numbers have no end', (preprocessor) => {
    expect(() => parseHuggingFaceConfig({ preprocessor })).toThrow(
      expect.objectContaining({
        code: 'model',
        message: expect.stringMatching(/^preprocessor_config.json: /),
      }),
    );
  });

  it('shows control characters of labels', () => {
    const { labels } = parseHuggingFaceConfig({ config: { id2label: { 0: 'a\u001b[2J' } } });
    expect(labels).toEqual(['a\\x1b[2J']);
  });

  it('lets preprocessor_config.json win over timm', () => {
    const files = {
      config: { pretrained_cfg: { mean: MEAN } },
      preprocessor: { image_processor_type: 'ViTImageProcessor' },
    };
    expect(parseHuggingFaceConfig(files).preprocessing?.mean).toEqual(HALF);
  });

  it('leaves out fields that the files do not have', () => {
    expect(parseHuggingFaceConfig({})).toEqual({ warnings: [] });
    expect(parseHuggingFaceConfig({ config: { model_type: 'vit', id2label: null } })).toEqual({
      warnings: [],
    });
  });
});

describe('NAME.json', () => {
  it('reads only the fields that it knows', () => {
    const json = {
      labels: ['a', 'b'],
      input: { size: [20, 30], mean: [1], std: [2], colour: 'grey', scale: '0-255', padding: 3 },
      source: 'x',
    };
    expect(parseModelJson(json)).toEqual({
      labels: ['a', 'b'],
      preprocessing: { size: [20, 30], mean: [1], std: [2], colour: 'grey', scale: '0-255' },
      warnings: [],
    });
    expect(parseModelJson({})).toEqual({ warnings: [] });
    expect(
      parseModelJson({ input: { size: 64, resize: 'crop', shorterSide: 72, filter: 'bicubic' } })
        .preprocessing,
    ).toEqual({
      size: [64, 64],
      resize: 'crop',
      shorterSide: 72,
      filter: 'bicubic',
    });
  });

  it.each([
    [{ input: { colour: 'CMYK' } }, 'input.colour'],
    [{ input: { std: [0, 1, 1] } }, 'input.std'],
    [{ labels: [1, 2] }, 'labels.0'],
    ['text', 'the file'],
  ])('refuses %j, naming the field', (json, field) => {
    expect(() => parseModelJson(json, 'net.json')).toThrow(
      expect.objectContaining({
        code: 'model',
        message: expect.stringContaining(`net.json: ${field}`),
      }),
    );
  });

  const folder = new URL('../../../../shared/models/', import.meta.url);
  it.skipIf(!existsSync(folder))(
    'reads the shared models (skipped where ../shared/models is absent)',
    () => {
      for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
        const { labels, preprocessing, warnings } = parseModelJson(
          JSON.parse(readFileSync(new URL(name, folder), 'utf8')),
          name,
        );
        expect(labels?.length).toBeGreaterThan(1);
        expect(preprocessing).toMatchObject({ size: [expect.any(Number), expect.any(Number)] });
        expect(warnings).toEqual([]);
      }
    },
  );
});

describe('names that every object has', () => {
  it('are labels like others', () => {
    const config = { label_names: ['constructor', 'b'], label_descriptions: { b: 'bee' } };
    expect(parseHuggingFaceConfig({ config }).labels).toEqual(['constructor', 'bee']);
  });

  it('are not processors', () => {
    const files = { config: { model_type: 'constructor' }, preprocessor: { size: 8 } };
    expect(parseHuggingFaceConfig(files).preprocessing?.size).toEqual([8, 8]);
  });

  it.each(['constructor', { toString: 1 }, null, 3])('are not colors: %j', (colour) => {
    expect(() => parsePreprocessing({ colour })).toThrow('preprocessing.colour = ');
  });
});

it('parsePreprocessing refuses unknown fields', () => {
  expect(parsePreprocessing({ filter: 'box' })).toEqual({ filter: 'box' });
  expect(() => parsePreprocessing({ crop: true })).toThrow(
    expect.objectContaining({ code: 'usage' }),
  );
});

it('a stretch before the crop shows the middle of the picture', () => {
  const preprocessing = {
    ...(parseHuggingFaceConfig({
      preprocessor: { image_processor_type: 'DeiTImageProcessor' },
    }).preprocessing as Preprocessing),
    size: [224, 224] as const,
  };
  expect(inputRegion(512, 1024, preprocessing)).toEqual({
    left: 32,
    top: 64,
    width: 448,
    height: 896,
  });
  const fitted = fitImage(image(512, 1024), preprocessing);
  expect([fitted.width, fitted.height]).toEqual([224, 224]);
});

describe('preprocessing in the spelling of the command line', () => {
  it.each([
    [{ size: '48x192' }, { size: [48, 192] }],
    [{ size: '48×192' }, { size: [48, 192] }],
    [{ size: '48,192' }, { size: [48, 192] }],
    [{ size: '96' }, { size: [96, 96] }],
    [{ mean: '0.5,0.25, 1' }, { mean: [0.5, 0.25, 1] }],
    [{ mean: '[0.5, 0.25,1]' }, { mean: [0.5, 0.25, 1] }],
    [
      { mean: '0.5', std: 0.5 },
      { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    ],
    [
      { mean: '0.5', colour: 'grey' },
      { mean: [0.5], colour: 'grey' },
    ],
    [{ color: 'Gray' }, { colour: 'grey' }],
    [{ colour: 'bgr' }, { colour: 'BGR' }],
    [{ mean: [0.1, 0.2, 0.3] }, { mean: [0.1, 0.2, 0.3] }],
  ])('reads %j', (given, expected) => {
    expect(parsePreprocessing(given)).toEqual(expected);
  });

  it.each([
    [
      { size: '48xwide' },
      /^preprocessing.size = "48xwide": expected \[integer from 1 to 16384, .* \| integer from 1/,
    ],
    [{ mean: '0.5,,0.5' }, /^preprocessing.mean = "0.5,,0.5": expected list of numbers$/],
    [{ std: '0' }, /^preprocessing.std = \[0,0,0\]: expected list of numbers above 0$/],
    [
      { sise: '5' },
      /^preprocessing has no option "sise": did you mean "size"\? its options are size/,
    ],
    [{ colour: 'pink' }, /^preprocessing.colour = "pink": expected "RGB" \| "BGR" \| "grey"$/],
    [{ constructor: '1' }, /constructor/],
  ])('refuses %j', (given, message) => {
    expect(() => parsePreprocessing(given)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringMatching(message) }),
    );
  });
});
