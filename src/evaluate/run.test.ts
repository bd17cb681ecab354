import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDataset, type Dataset, type Sample } from '../datasets/dataset.ts';
import { openDataset, selectSamples } from '../datasets/index.ts';
import { FoveaError } from '../errors.ts';
import { image } from '../image/image.ts';
import { createMask } from '../image/mask.ts';
import { methods as registry } from '../methods/index.ts';
import { metrics as metricRegistry, resolveMetricOptions } from '../metrics/index.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { loadModel } from '../node/load-model.ts';
import { type AnyOptions, parseOptions } from '../options.ts';
import { tensor } from '../tensor/tensor.ts';
import { createGallery } from './gallery.ts';
import { scoresParquet } from './parquet.ts';
import type {
  Evaluation,
  EvaluationMethod,
  EvaluationMetric,
  EvaluationRecord,
} from './records.ts';
import { evaluationReport } from './report.ts';
import { claimFolder } from './resume.ts';
import { type Problem, runEvaluation } from './run.ts';
import { settingsOf } from './settings.ts';
import { openStore } from './store.ts';
import { summarise } from './summarise.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-evaluation-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const SIDE = 16;
let calls = 0;

/** Class 0: the left half is bright. Counts the pictures it sees. */
const model = createFunctionModel({
  name: 'left',
  labels: ['left', 'right', 'other'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] },
  output: 'probabilities',
  classify: async ({ shape: [n], data }) => {
    calls += n;
    const area = SIDE * SIDE;
    const scores = new Float32Array(3 * n);
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let p = 0; p < area; p++) sum += (p % SIDE < SIDE / 2 ? 1 : -1) * data[3 * area * i + p];
      const left = 1 / (1 + Math.exp(-sum / area));
      scores.set([0.9 * left, 0.9 * (1 - left), 0.1], 3 * i);
    }
    return tensor([n, 3], scores);
  },
});

const picture = (seed: number) =>
  image(
    SIDE,
    SIDE,
    Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => (i * 37 + seed * 101) % 256),
  );
const mask = createMask(SIDE, SIDE, (i) => i % SIDE < SIDE / 2);

function datasetOf(
  samples: readonly (Sample | FoveaError)[],
  problems: readonly string[] = [],
): Dataset {
  const idOf = (i: number) => {
    const sample = samples[i];
    return sample instanceof FoveaError ? `damaged-${i}` : sample.id;
  };
  const read = async (i: number) => {
    const sample = samples[i];
    if (sample instanceof FoveaError) throw sample;
    return sample;
  };
  return createDataset({
    name: 'test',
    length: samples.length,
    provides: ['label', 'mask'],
    protocol: [],
    problems,
    idOf,
    read,
  });
}

const sample = (id: string, seed: number, more: Partial<Sample> = {}): Sample => ({
  id,
  image: picture(seed),
  label: { name: 'left' },
  mask,
  ...more,
});

const method = (name: string, options: AnyOptions = {}): EvaluationMethod => ({
  name,
  method: registry.get(name),
  options: parseOptions(registry.get(name), options),
});

const metric = (key: string, options: AnyOptions = {}): EvaluationMetric => ({
  key,
  metric: metricRegistry.get(key),
  ...resolveMetricOptions(metricRegistry.get(key), undefined, options),
});

function evaluationOf(dataset: Dataset, more: Partial<Evaluation> = {}): Evaluation {
  return {
    model,
    dataset,
    methods: [method('occlusion', { window: 4, stride: 4 }), method('random')],
    metrics: [metric('deletion', { step: 64 }), metric('iou')],
    target: 'ground-truth',
    seed: 0,
    folder,
    ...more,
  };
}

const four = () => datasetOf(['a', 'b', 'c', 'd'].map((id, i) => sample(id, i)));
const lines = async (name = 'scores.jsonl') =>
  (await readFile(join(folder, name), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as EvaluationRecord);
const withoutTime = (records: readonly EvaluationRecord[]) =>
  records.map((record) => ({ ...record, seconds: 0 }));

describe('runEvaluation', () => {
  it('scores completeness by what the method promises, and not where it promises none', async () => {
    const demo = await loadModel('demo-cnn');
    const metrics = [metric('completeness')];
    const scoreWith = async (options: Readonly<Record<string, unknown>>) => {
      const own = await mkdtemp(join(folder, 'run-'));
      const store = await openStore(own);
      const methods = [method('integrated-gradients', options), method('gradient-x-input')];
      const scene = selectSamples(await openDataset('demo-scenes', {}), { limit: 1 });
      expect(
        await runEvaluation(
          evaluationOf(scene, { model: demo, methods, metrics, folder: own }),
          store,
        ),
      ).toEqual([]);
      return store.scores();
    };
    const [white, none] = await scoreWith({ baseline: 'white', output: 'probability', steps: 64 });
    expect(white.options).toMatchObject({ baseline: 'white', score: 'probability' });
    expect(white.value).toBeLessThan(0.1);
    expect(none).toMatchObject({ value: null, reason: 'the method does not promise completeness' });
    expect((await scoreWith({ reduce: 'l2', steps: 2 }))[0].value).toBeNull();
    await demo.dispose();
  });

  it('scores every method on every sample, and makes no model call when it runs again', async () => {
    const store = await openStore(folder);
    expect(await runEvaluation(evaluationOf(four()), store)).toEqual([]);
    const records = await lines();
    expect(records.filter(({ kind }) => kind === 'map')).toHaveLength(8);
    expect(records.filter(({ kind }) => kind === 'score')).toHaveLength(16);
    calls = 0;
    await runEvaluation(evaluationOf(four()), await openStore(folder));
    expect(calls).toBe(0);
    expect(await lines()).toEqual(records);
  });

  it('takes maps from the cache for another metric', async () => {
    await runEvaluation(evaluationOf(four()), await openStore(folder));
    calls = 0;
    await runEvaluation(
      evaluationOf(four(), {
        metrics: [metric('f1')],
      }),
      await openStore(folder),
    );
    expect(calls).toBe(4); // each picture is classified, and not explained again
  });

  it('counts model calls of maps and of scores', async () => {
    await runEvaluation(evaluationOf(four()), await openStore(folder));
    const records = await lines();
    const [map] = records.filter(({ kind, method }) => kind === 'map' && method === 'occlusion');
    const [score] = records.filter(
      (record) => record.kind === 'score' && record.metric === 'deletion',
    );
    expect(map.modelCalls).toEqual({ forward: 17, backward: 0 });
    expect(score.modelCalls).toEqual({ forward: 5, backward: 0 });
  });

  it('reports damaged, unlabelled and unknown samples and a missing mask, and goes on', async () => {
    const dataset = datasetOf(
      [
        new FoveaError('image', 'x.jpg is damaged'),
        sample('unlabelled', 1, { label: undefined }),
        sample('unknown', 2, { label: { name: 'giraffe' } }),
        sample('nothing', 3, { label: { name: 'person', indices: [] } }),
        sample('maskless', 4, { mask: undefined }),
        sample('fine', 5),
      ],
      ['line 3 is not a picture'],
    );
    const seen: Problem[] = [];
    const problems = await runEvaluation(evaluationOf(dataset), await openStore(folder), {
      onProblem: (problem) => seen.push(problem),
    });
    expect(seen).toEqual(problems);
    expect(problems.map(({ kind, message }) => [kind, message])).toEqual([
      ['index', 'line 3 is not a picture'],
      ['damaged', 'damaged-0: x.jpg is damaged'],
      ['left-out', 'unlabelled is left out: it has no label'],
      ['left-out', expect.stringContaining('"giraffe" is not a class of left')],
      ['left-out', 'nothing is left out: the model has no class for person'],
    ]);
    const summary = summarise(evaluationOf(dataset), await openStore(folder), problems);
    expect(summary.pictures).toBe(2);
    const of = (metric: string) =>
      summary.table.find((cell) => cell.method === 'occlusion' && cell.metric === metric);
    expect(of('iou')).toMatchObject({ count: 1, excluded: 1 });
    expect(of('deletion')).toMatchObject({ count: 2, excluded: 0 });
  });

  it('records the request if there is no score', async () => {
    const metrics = [metric('f1', { threshold: 0.25 })];
    const dataset = datasetOf([sample('maskless', 4, { mask: undefined })]);
    await runEvaluation(evaluationOf(dataset, { metrics }), await openStore(folder));
    expect((await lines())[1]).toMatchObject({
      value: null,
      preset: 'custom',
      options: { threshold: 0.25 },
    });
  });

  it('explains the likeliest of the classes that count as the label', async () => {
    const dataset = datasetOf([sample('a', 0, { label: { name: 'side', indices: [2, 0] } })]);
    await runEvaluation(evaluationOf(dataset), await openStore(folder));
    expect((await lines()).find(({ kind }) => kind === 'map')).toMatchObject({
      target: { index: 0 },
      label: 'side',
    });
  });

  it('leaves out what the model takes for something else, where only recognised pictures are wanted', async () => {
    const dataset = datasetOf([
      sample('a', 0, { label: { name: 'side', indices: [2, 0] } }),
      sample('b', 0, { label: { name: 'other', indices: [2] } }),
    ]);
    const problems = await runEvaluation(
      evaluationOf(dataset, { target: 'recognised' }),
      await openStore(folder),
    );
    expect(problems).toEqual([
      expect.objectContaining({
        kind: 'left-out',
        item: 'b',
        message: 'b is left out: the model takes the other for left',
      }),
    ]);
    expect(
      (await lines())
        .filter(({ kind }) => kind === 'map')
        .map(({ item, method }) => [item, method]),
    ).toEqual([
      ['a', 'occlusion'],
      ['a', 'random'],
    ]);
  });

  it('does not count pictures that it passed over into what is left', async () => {
    const unlabelled = sample('b', 0, { label: undefined });
    const estimates: unknown[] = [];
    await runEvaluation(
      evaluationOf(datasetOf([unlabelled, sample('a', 0)])),
      await openStore(folder),
      { onEstimate: (estimate) => estimates.push(estimate) },
    );
    expect(estimates).toEqual([{ modelCalls: expect.any(Number), samples: 1, secondsLeft: 0 }]);
  });

  it('tries a method that the model cannot run once', async () => {
    const methods = [...evaluationOf(four()).methods, method('grad-cam')];
    const problems = await runEvaluation(
      evaluationOf(four(), { methods }),
      await openStore(folder),
    );
    expect(problems).toEqual([
      {
        kind: 'not-run',
        method: 'grad-cam',
        message: expect.stringContaining('grad-cam needs'),
      },
    ]);
  });

  it('counts a map of the wrong form, and any other error on a picture, as a failure of that picture', async () => {
    const notNumbers = tensor([SIDE, SIDE], new Float32Array(SIDE * SIDE).fill(Number.NaN));
    const centre = registry.get('centre');
    vi.spyOn(centre, 'explain')
      .mockResolvedValueOnce([{ map: notNumbers }])
      .mockRejectedValueOnce(new TypeError('x is undefined'));
    const [, random] = evaluationOf(four()).methods;
    const unreadable = new FoveaError('usage', 'this is not a sample');
    const dataset = datasetOf([sample('a', 0), unreadable, sample('b', 1)]);
    const problems = await runEvaluation(
      evaluationOf(dataset, { methods: [method('centre'), random] }),
      await openStore(folder),
    );
    expect(problems).toEqual([
      {
        kind: 'failed',
        item: 'a',
        method: 'centre',
        message: expect.stringMatching(/^a, centre: .*NaN/),
      },
      { kind: 'failed', item: 'damaged-1', message: 'damaged-1: this is not a sample' },
      {
        kind: 'failed',
        item: 'b',
        method: 'centre',
        message: 'b, centre: internal: x is undefined',
      },
    ]);
    expect((await lines()).map(({ item, method }) => `${item} ${method}`)).toEqual([
      ...Array(3).fill('a random'),
      ...Array(3).fill('b random'),
    ]);
  });

  it('tries a method on every picture where it finds nothing on one', async () => {
    // Black is as good as any of these pictures for the class, so that no patch is needed for it.
    const methods = [method('sag', { grid: 2, patches: 'hard' })];
    const problems = await runEvaluation(
      evaluationOf(four(), { methods }),
      await openStore(folder),
    );
    const message = (item: string) =>
      expect.stringMatching(
        new RegExp(`^${item}, sag: "[^"]+" keeps .* if all patches are hidden`),
      );
    expect(problems).toEqual(
      ['a', 'b', 'c', 'd'].map((item) => ({
        kind: 'failed',
        item,
        method: 'sag',
        message: message(item),
      })),
    );
  });

  it('shares the work between parts, and puts them together', async () => {
    const whole = four();
    for (const index of [0, 1]) {
      const part = `${index + 1}-of-2`;
      await runEvaluation(
        evaluationOf(selectSamples(whole, { shard: { index, count: 2 } }), { part }),
        await openStore(folder, part),
      );
      expect(await lines(`scores.${part}.jsonl`)).toHaveLength(12);
    }
    calls = 0;
    const store = await openStore(folder);
    await runEvaluation(evaluationOf(whole), store);
    expect(calls).toBe(0);
    expect(summarise(evaluationOf(whole), store, []).pictures).toBe(4);
  });
});

describe('the store', () => {
  it('cuts off a torn last line and does that score again, and no other', async () => {
    await runEvaluation(evaluationOf(four()), await openStore(folder));
    const path = join(folder, 'scores.jsonl');
    const whole = await readFile(path, 'utf8');
    for (const keep of [
      Math.floor(whole.length / 3),
      Math.floor(whole.length / 2) + 7,
      whole.length - 2,
    ]) {
      await writeFile(path, whole.slice(0, keep));
      const before = whole.slice(0, whole.lastIndexOf('\n', keep - 1) + 1);
      await runEvaluation(evaluationOf(four()), await openStore(folder));
      const after = await readFile(path, 'utf8');
      expect(after.startsWith(before)).toBe(true);
      expect(withoutTime(await lines())).toEqual(
        withoutTime(
          whole
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line)),
        ),
      );
    }
  });

  it('refuses a damaged line in the middle', async () => {
    await writeFile(join(folder, 'scores.jsonl'), 'rubbish\n{}\n');
    await expect(openStore(folder)).rejects.toThrow(
      'scores.jsonl, line 1 is not a score (it is not JSON)',
    );
  });

  it('ends the run when the disk is full, and keeps what is there', async () => {
    let room = 5;
    const append = async (path: string, line: string) => {
      if (room-- === 0)
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
          code: 'ENOSPC',
        });
      await writeFile(path, line, { flag: 'a' });
    };
    await expect(
      runEvaluation(evaluationOf(four()), await openStore(folder, undefined, append)),
    ).rejects.toMatchObject({
      code: 'output',
      message: expect.stringMatching(/cannot write .*scores\.jsonl: the disk is full/),
    });
    expect(await lines()).toHaveLength(5);
    await runEvaluation(evaluationOf(four()), await openStore(folder));
    expect(await lines()).toHaveLength(24);
  });
});

describe('claimFolder', () => {
  it('needs --resume for a folder with scores, and the same settings', async () => {
    const settings = settingsOf(evaluationOf(four()));
    await claimFolder(folder, { ...settings, seed: 9 }, false); // a run that ended before its first score
    await writeFile(join(folder, 'scores.jsonl'), '{"kind":"map","item"');
    await claimFolder(folder, settings, true);
    await expect(claimFolder(folder, { ...settings, seed: 9 }, false, true)).rejects.toThrow(
      'seed was 0, now 9',
    );
    await writeFile(join(folder, 'scores.jsonl'), '{"kind":"map"}\n');
    await claimFolder(folder, settings, false, true);
    await expect(claimFolder(folder, settings, false)).rejects.toThrow('add --resume');
    await claimFolder(folder, settings, true);
    await expect(claimFolder(folder, { ...settings, seed: 1 }, true)).rejects.toThrow(
      'made with other settings: seed was 0, now 1',
    );
    const other = settingsOf(
      evaluationOf(four(), {
        methods: [method('occlusion', { window: 8, stride: 4 })],
      }),
    );
    await expect(claimFolder(folder, other, true)).rejects.toThrow('options of occlusion was');
    const more = settingsOf(evaluationOf(four(), { methods: [method('centre')] }));
    await claimFolder(folder, more, true);
    expect(
      Object.keys(JSON.parse(await readFile(join(folder, 'run.json'), 'utf8')).methods),
    ).toEqual(['occlusion', 'random', 'centre']);
  });

  const list = (images: string) => openDataset(`pics-list:${join(folder, 'pics.txt')}`, { images });
  const claim = async (dataset: Dataset) =>
    claimFolder(folder, settingsOf(evaluationOf(dataset)), true);

  it('needs the same folder of pictures and the same labels', async () => {
    await writeFile(join(folder, 'pics.txt'), 'one.png 0\n');
    await writeFile(join(folder, 'scores.jsonl'), '{"kind":"map"}\n');
    await claim(await list('a'));
    await claim(await list('a'));
    await expect(claim(await list('b'))).rejects.toThrow(
      'settings of the data set was {"images":"a"}, now {"images":"b"}',
    );
    await writeFile(join(folder, 'pics.txt'), 'one.png 1\n');
    await expect(claim(await list('a'))).rejects.toThrow(
      'SHA-256 of the index of the data set was "',
    );
  });
});

describe('what a run comes to', () => {
  it('says which pictures were taken, and these may change when a run goes on', async () => {
    const three = evaluationOf(selectSamples(four(), { limit: 3 }));
    const store = await openStore(folder);
    await claimFolder(folder, settingsOf(three), false);
    await runEvaluation(three, store);
    const said = 'Pictures: the first 3 of 4 samples.';
    expect(await readFile(join(folder, 'run.json'), 'utf8')).toContain(said);
    expect(
      evaluationReport(summarise(three, store, []), await createGallery(three, store, 1)),
    ).toContain(said);
    await claimFolder(folder, settingsOf(evaluationOf(four())), true);
    expect(await readFile(join(folder, 'run.json'), 'utf8')).not.toContain(said);
  });

  it('is a table of means with intervals and ranks, a Parquet file, and a page that needs no other file', async () => {
    const evaluation = evaluationOf(four());
    const store = await openStore(folder);
    await runEvaluation(evaluation, store);
    const summary = summarise(evaluation, store, []);
    const values = store
      .scores()
      .filter(({ method, metric }) => method === 'random' && metric === 'iou')
      .map(({ value }) => value as number);
    const cell = summary.table.find(
      ({ method, metric }) => method === 'random' && metric === 'iou',
    );
    expect(cell?.value).toBeCloseTo(values.reduce((a, b) => a + b) / 4, 12);
    expect(cell?.interval?.[0]).toBeGreaterThanOrEqual(Math.min(...values));
    expect(cell?.interval?.[1]).toBeLessThanOrEqual(Math.max(...values));
    expect(
      summary.table
        .filter(({ metric }) => metric === 'iou')
        .map(({ rank }) => rank)
        .sort(),
    ).toEqual([1, 2]);
    expect(summary.curves.find(({ method }) => method === 'occlusion')?.x).toEqual([
      0, 0.25, 0.5, 0.75, 1,
    ]);

    const bytes = await scoresParquet(store);
    const rows = await parquetReadObjects({ file: bytes.buffer as ArrayBuffer });
    expect(rows).toHaveLength(16);
    expect(rows[0]).toMatchObject({
      item: 'a',
      method: 'occlusion',
      metric: 'deletion',
      preset: 'custom',
      target_index: 0,
      target_label: 'left',
      reason: null,
    });
    expect(rows.map(({ value }) => value)).toEqual(store.scores().map(({ value }) => value));

    const gallery = await createGallery(evaluation, store, 2);
    expect(gallery.rows).toHaveLength(2);
    expect(gallery.rows[0].cells.map(({ title }) => title)).toEqual([
      'mask outlined',
      'occlusion',
      'random',
    ]);
    const page = evaluationReport(summary, gallery);
    expect(page).not.toMatch(/(src|href)="(?!data:)/);
    expect(page).toContain('deletion ↓');
    expect(page).toContain('iou\u00a0↑');
    expect(page).toContain('<svg viewBox="0 0 460 300" role="img"');
    expect(page).toContain('random (control)');
  });
});
