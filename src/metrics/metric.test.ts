import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { FoveaError } from '../errors.ts';
import { integer, parseOptions } from '../options.ts';
import { tensor } from '../tensor/tensor.ts';
import { regionModel } from './fixtures/region-model.ts';
import { defineMetric, metrics } from './index.ts';

const map = tensor([2, 2], Float32Array.of(1, 2, 3, 4));
const mask = Uint8Array.of(0, 0, 0, 1);

async function failure(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FoveaError);
  expect((error as FoveaError).code).toBe('usage');
  return (error as FoveaError).message;
}

describe('the table of metrics', () => {
  it('lists each metric under its name', () => {
    expect(metrics.names).toEqual([
      'deletion',
      'insertion',
      'confidence-at-area',
      'single-deletion',
      'saco',
      'positive-perturbation',
      'negative-perturbation',
      'average-drop',
      'increase-in-confidence',
      'average-drop-in-deletion',
      'adcc',
      'road',
      'sic',
      'aic',
      'infidelity',
      'mu-fidelity',
      'max-sensitivity',
      'pointing-game',
      'iou',
      'f1',
      'pixel-accuracy',
      'mean-iou',
      'average-precision',
      'relevance-mass',
      'relevance-rank',
      'model-randomization',
      'random-logit',
      'completeness',
      'sparseness',
      'complexity',
    ]);
  });

  it('has the first preset as its defaults', () => {
    for (const metric of metrics)
      expect(parseOptions(metric)).toEqual(Object.values(metric.presets)[0]);
  });

  it('has as many metrics as the documents state', () => {
    for (const name of ['README.md', 'CHANGELOG.md']) {
      expect(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'), name).toMatch(
        new RegExp(`(^|\\s)${metrics.names.length} metrics`),
      );
    }
  });

  it('names the axes of curves', () => {
    const curved = [...metrics].filter(({ axes }) => axes !== undefined).map(({ name }) => name);
    expect(curved).toEqual([
      'deletion',
      'insertion',
      'confidence-at-area',
      'positive-perturbation',
      'negative-perturbation',
      'road',
      'sic',
      'aic',
      'model-randomization',
    ]);
    expect(metrics.get('model-randomization').axes?.x).toBe('share of layers randomized');
  });

  it('states how scores of pictures become the score of a data set', () => {
    const others = [...metrics].flatMap(({ name, level }) =>
      level === 'mean' ? [] : [[name, level]],
    );
    expect(others).toEqual([
      ['sic', 'median-curve'],
      ['aic', 'median-curve'],
      ['pixel-accuracy', 'data-set'],
      ['mean-iou', 'data-set'],
    ]);
  });

  it('is documented, with the direction and the presets of each metric', () => {
    const lines = readFileSync(
      new URL('../../docs/metrics/README.md', import.meta.url),
      'utf8',
    ).split('\n');
    for (const { name, direction, presets, title } of metrics) {
      const line = lines.find((each) => each.startsWith(`| \`${name}\` |`)) ?? '';
      expect(line, title).toContain(direction === 'higher' ? '| ↑ |' : '| ↓ |');
      if (!line.includes('as `'))
        for (const preset of Object.keys(presets)) expect(line, name).toContain(`\`${preset}\``);
    }
  });

  it('names all metrics in the error for an unknown metric', () => {
    expect(() => metrics.get('acuracy')).toThrow(
      'unknown metric "acuracy": expected one of deletion, insertion, ',
    );
    expect(metrics.get('iou').title).toBe('Intersection over union');
  });
});

describe('presets', () => {
  const pointing = metrics.get('pointing-game');

  it('are recorded with every option', async () => {
    expect(await pointing.score({ map, mask })).toEqual({
      value: 1,
      preset: 'exact',
      options: { form: 'hit', tolerance: 0 },
    });
    expect(await pointing.score({ map, mask, preset: 'torchray' })).toEqual({
      value: 1,
      preset: 'torchray',
      options: { form: 'hit', tolerance: 15 },
    });
  });

  it('are recorded by their options: the preset with these options, or custom', async () => {
    expect(await pointing.score({ map, mask, options: { tolerance: 15 } })).toMatchObject({
      preset: 'torchray',
    });
    expect(
      await pointing.score({ map, mask, preset: 'torchray', options: { tolerance: 2 } }),
    ).toMatchObject({ preset: 'custom', options: { tolerance: 2 } });
  });

  it('are refused if unknown, like options', async () => {
    expect(await failure(pointing.score({ map, mask, preset: 'toString' }))).toBe(
      'pointing-game has no protocol "toString": expected one of exact, torchray, energy',
    );
    expect(await failure(pointing.score({ map, mask, options: { tolerence: 3 } }))).toContain(
      'pointing-game has no option "tolerence"',
    );
    expect(await failure(pointing.score({ map, mask, options: { tolerance: -1 } }))).toContain(
      'pointing-game.tolerance = -1: expected number from 0',
    );
  });

  it('keep the requested name if two have the same options', async () => {
    const metric = defineMetric({
      name: 'twice',
      title: 'Twice',
      direction: 'higher',
      range: [0, 1],
      paper: '',
      needs: [],
      presets: { a: { n: 1 }, b: { n: 1 } },
      options: v.object({
        n: v.optional(integer, 1),
      }),
      measure: (_context, { n }) => ({ value: n }),
    });
    expect((await metric.score({ map, preset: 'b' })).preset).toBe('b');
    expect((await metric.score({ map })).preset).toBe('a');
  });
});

describe('what a metric is given', () => {
  const model = regionModel(2, 2, mask);
  const input = tensor([1, 1, 2, 2], Float32Array.of(1, 1, 1, 1));
  const whole = { map, model, input, target: { index: 0 } };

  it('is named in the error if it is missing', async () => {
    expect(await failure(metrics.get('iou').score({ map }))).toBe(
      'iou: needs the mask of the object',
    );
    expect(await failure(metrics.get('deletion').score({ map, model, input }))).toBe(
      'deletion: needs a model, its input and the target class',
    );
  });

  it('must fit together', async () => {
    expect(await failure(metrics.get('iou').score({ map, mask: new Uint8Array(5) }))).toBe(
      'iou: the mask has 5 pixels, the map 2×2 = 4',
    );
    expect(await failure(metrics.get('f1').score({ map: tensor([4], map.data), mask }))).toBe(
      'f1: the map is 4, expected [height, width]',
    );
    expect(
      await failure(metrics.get('f1').score({ map: tensor([0, 2]), mask: new Uint8Array(0) })),
    ).toBe('f1: the map has no pixels');
    expect(
      await failure(metrics.get('insertion').score({ ...whole, map: tensor([1, 4], map.data) })),
    ).toBe('insertion: the map is 1×4, the input 2×2');
    expect(
      await failure(metrics.get('insertion').score({ ...whole, input: tensor([2, 2], map.data) })),
    ).toBe('insertion: the input is 2×2, expected [1, channels, height, width]');
    expect(await failure(metrics.get('insertion').score({ ...whole, target: { index: 2 } }))).toBe(
      'insertion: target 2 is not a class of region, which has 2',
    );
  });

  it('must be finite', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const bad = tensor([2, 2], Float32Array.of(0, value, 1, 2));
      expect(await failure(metrics.get('pointing-game').score({ map: bad, mask }))).toBe(
        'pointing-game: the map contains NaN or infinite values',
      );
    }
  });

  it('must contain each pixel once in its order', async () => {
    const deletion = metrics.get('deletion');
    expect(await failure(deletion.score({ ...whole, order: [0, 1, 2] }))).toBe(
      'the pixel order has 3 entries: expected each of 0 … 3 once',
    );
    expect(await failure(deletion.score({ ...whole, order: [0, 1, 1, 2] }))).toBe(
      'the pixel order contains pixel 1 twice: expected each of 0 … 3 once',
    );
    expect(await failure(deletion.score({ ...whole, order: [0, 1, 2, 4] }))).toBe(
      'the pixel order contains 4: expected each of 0 … 3 once',
    );
  });

  it('stops every metric when the signal fires', async () => {
    const signal = AbortSignal.abort();
    for (const metric of metrics)
      await expect(metric.score({ ...whole, mask, signal })).rejects.toMatchObject({
        code: 'cancelled',
      });
  });
});
