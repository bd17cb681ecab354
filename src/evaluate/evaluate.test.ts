import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDataset, type Dataset, defineReader } from '../datasets/dataset.ts';
import { openDataset, selectSamples } from '../datasets/index.ts';
import { image } from '../image/image.ts';
import { createMask } from '../image/mask.ts';
import { centre } from '../methods/centre.ts';
import { defineMethod } from '../methods/method.ts';
import { defineMetric } from '../metrics/metric.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { option } from '../options.ts';
import { tensor } from '../tensor/tensor.ts';
import { type EvaluateOptions, evaluate } from './evaluate.ts';
import { controlWarnings, metricAgreement, prepareMethod, prepareMetric } from './index.ts';
import { evaluationReport } from './report.ts';

const SIDE = 8;

/** A model of two classes that are always equally probable. */
const model = createFunctionModel({
  name: 'even',
  labels: ['a', 'b'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] },
  output: 'probabilities',
  classify: async ({ shape: [n = 0] }) => tensor([n, 2], new Float32Array(2 * n).fill(0.5)),
});

/** A map that is `height` in column `column`, and 0 elsewhere. */
const stripe = defineMethod({
  name: 'stripe',
  title: 'A stripe',
  family: 'perturbation',
  paper: 'none',
  needs: ['black-box'],
  signed: false,
  cost: '0',
  options: v.object({
    column: option(v.pipe(v.number(), v.integer(), v.minValue(0)), 0, 'where the stripe is'),
    height: option(v.number(), 1, 'value of its pixels'),
  }),
  explain: async ({ targets, options: { column, height } }) =>
    targets.map(() => ({
      map: tensor(
        [SIDE, SIDE],
        Float32Array.from({ length: SIDE * SIDE }, (_, i) => (i % SIDE === column ? height : 0)),
      ),
    })),
});

/** The value of the first column of the map, times a factor. */
const firstColumn = defineMetric({
  name: 'first-column',
  title: 'First column',
  direction: 'higher',
  range: [0, 100],
  paper: 'none',
  needs: [],
  presets: { plain: { factor: 1 }, tenfold: { factor: 10 } },
  options: v.object({ factor: option(v.number(), 1, 'what the value is multiplied by') }),
  measure: ({ map }, { factor }) => ({ value: factor * (map.data[0] ?? 0) }),
});

const reader = defineReader({
  name: 'squares',
  title: 'Gray squares',
  path: 'nothing',
  pathless: true,
  options: v.object({ count: option(v.pipe(v.number(), v.integer()), 3, 'number of pictures') }),
  open: async (_, { count }) =>
    createDataset({
      name: 'squares',
      length: count,
      provides: ['label', 'mask'],
      protocol: [],
      problems: [],
      idOf: (i) => `square-${i}`,
      read: async (i) => ({
        id: `square-${i}`,
        image: image(SIDE, SIDE, new Uint8Array(3 * SIDE * SIDE).fill(10 * i)),
        label: { name: 'a' },
        mask: createMask(SIDE, SIDE, (at) => at % SIDE === 0),
      }),
    }),
});

let folder: string;
let dataset: Dataset;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-evaluate-'));
  dataset = await openDataset({ reader });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const request = {
  model,
  methods: [stripe, { method: stripe, options: { column: 3 }, name: 'third' }, 'random'],
  metrics: [firstColumn, { metric: firstColumn, preset: 'tenfold' }, 'iou'],
} as const;

describe('evaluate', () => {
  it('accepts objects that are not registered, and one method in several rows', async () => {
    const { summary, problems, files } = await evaluate(dataset, request);
    expect({ problems, files }).toEqual({ problems: [], files: {} });
    const scoreOf = (method: string, metric: string) =>
      summary.table.find((cell) => cell.method === method && cell.metric === metric)?.value;
    expect(scoreOf('stripe', 'first-column')).toBe(1);
    expect(scoreOf('third', 'first-column')).toBe(0);
    expect(scoreOf('stripe', 'first-column:tenfold')).toBe(10);
    expect(scoreOf('stripe', 'iou')).toBe(1);
    expect(summary.settings.methods.third).toEqual({
      method: 'stripe',
      options: { column: 3, height: 1 },
    });
    expect(evaluationReport(summary, { rows: [] })).toContain('third: A stripe');
  });

  it('parses the options of each row and column once', async () => {
    let parsed = 0;
    const counted = v.pipe(
      v.object({ column: option(v.number(), 0, 'where the stripe is') }),
      v.check(() => ++parsed > 0),
    );
    const method = defineMethod({ ...stripe, options: counted, explain: stripe.explain as never });
    const methods = [prepareMethod(method)];
    expect(parsed).toBe(1);
    const metrics = [prepareMetric({ metric: firstColumn, preset: 'tenfold' })];
    const { summary } = await evaluate(dataset, { model, methods, metrics, folder });
    expect(parsed).toBe(1);
    expect(summary.metrics.map(({ key }) => key)).toEqual(['first-column:tenfold']);
    await evaluate(dataset, { model, methods: [method], metrics: [firstColumn] });
    expect(parsed).toBe(2);
  });

  it('writes its results to a folder, and resumes there', async () => {
    const { files } = await evaluate(dataset, { ...request, folder });
    expect(files).toEqual({
      report: join(folder, 'report.html'),
      summary: join(folder, 'summary.json'),
      scores: join(folder, 'scores.parquet'),
      records: join(folder, 'scores.jsonl'),
      settings: join(folder, 'run.json'),
    });
    const names = (await readdir(folder)).filter((name) => name !== 'explanations');
    expect(names.map((name) => join(folder, name)).sort()).toEqual(Object.values(files).sort());
    await expect(evaluate(dataset, { ...request, folder })).rejects.toThrow('resume: true');
    const records: unknown[] = [];
    const again = { ...request, folder, resume: true };
    await evaluate(dataset, { ...again, onRecord: (record) => records.push(record) });
    expect(records).toEqual([]);
  });

  it('estimates the cost of this run only', async () => {
    const two = selectSamples(dataset, { limit: 2 });
    await evaluate(two, { ...request, folder });
    const samples: number[] = [];
    await evaluate(dataset, {
      ...request,
      folder,
      resume: true,
      onEstimate: (estimate) => samples.push(estimate.samples),
    });
    expect(samples).toEqual([1]);
  });

  it('runs parts, and then the whole', async () => {
    for (const index of [0, 1]) {
      const shard = { index, count: 2 };
      const { files } = await evaluate(dataset, { ...request, folder, shard });
      expect(files.report).toBeUndefined();
    }
    let done = 0;
    const { summary } = await evaluate(dataset, {
      ...request,
      folder,
      resume: true,
      onStart: (start) => {
        done = start.done;
      },
    });
    expect({ done, pictures: summary.pictures }).toEqual({ done: 27, pictures: 3 });
  });

  it('does not mark a control as best, and warns if a control wins', async () => {
    const { summary } = await evaluate(dataset, {
      model,
      methods: [{ method: stripe, options: { column: 3 } }, centre],
      metrics: [firstColumn],
    });
    expect(summary.metrics[0]?.wonBy).toBe('centre');
    expect(controlWarnings(summary)).toEqual([
      expect.stringMatching(
        /^first-column cannot distinguish .* no method beats the control centre/,
      ),
    ]);
    const page = evaluationReport(summary, { rows: [] });
    expect(page).toContain('first-column\u00a0↑\u00a0⚠');
    expect(page).not.toMatch(/centre \(control\).{0,40}●/);
  });

  it('reports how far the metrics agree on the order of the methods', async () => {
    const third = { method: stripe, options: { column: 3 }, name: 'third' };
    const opposite = { ...firstColumn, name: 'opposite', direction: 'lower' } as const;
    const methods = [stripe, third, 'random'] as const;
    const agree = await evaluate(dataset, { model, methods, metrics: [firstColumn, 'iou'] });
    expect(metricAgreement(agree.summary)).toBe(1);
    expect(evaluationReport(agree.summary, { rows: [] })).toContain('W 1.00 (0 none,');
    const differ = await evaluate(dataset, { model, methods, metrics: [firstColumn, opposite] });
    expect(metricAgreement(differ.summary)).toBe(0);
    const alone = await evaluate(dataset, { model, methods, metrics: [firstColumn] });
    expect(metricAgreement(alone.summary)).toBeNull();
    expect(evaluationReport(alone.summary, { rows: [] })).not.toContain('Agreement of the metrics');
  });

  it('marks a row with fewer pictures in every table', async () => {
    let maps = 0;
    const flaky = defineMethod({
      ...stripe,
      name: 'flaky',
      explain: async (context) => {
        if (maps++ === 0) throw new Error('not this one');
        return stripe.explain(context);
      },
    });
    const methods = [stripe, flaky];
    const { summary } = await evaluate(dataset, { model, methods, metrics: [firstColumn] });
    const tables = evaluationReport(summary, { rows: [] }).split('<table>').slice(1);
    expect(tables).toHaveLength(3);
    for (const table of tables) expect(table).toContain('flaky (2\u00a0of\u00a03 pictures)');
  });

  it('drops a metric that needs weights before the first picture', async () => {
    const { problems } = await evaluate(dataset, {
      model,
      methods: [stripe],
      metrics: [firstColumn, 'model-randomization'],
    });
    expect(problems).toEqual([
      {
        kind: 'not-run',
        metric: 'model-randomization',
        message: expect.stringContaining('the weights of even'),
      },
    ]);
  });

  it.each<[string, Partial<EvaluateOptions>, string]>([
    ['two rows of one name', { methods: [stripe, stripe] }, 'two methods are called "stripe"'],
    ['no method', { methods: [] }, 'there is no method'],
    ['an unknown target', { target: 'best' as 'predicted' }, 'target "best": expected one of'],
  ])('refuses %s', async (_, more, message) => {
    await expect(evaluate(dataset, { ...request, ...more })).rejects.toThrow(message);
  });

  it('is typed: unknown names and options do not compile', () => {
    const never = () => [
      // @ts-expect-error: there is no such method
      evaluate(dataset, { model, methods: ['rize'], metrics: ['iou'] }),
      // @ts-expect-error: there is no such metric
      evaluate(dataset, { model, methods: ['rise'], metrics: ['iuo'] }),
      evaluate(dataset, {
        model,
        // @ts-expect-error: RISE has no such option
        methods: [{ method: 'rise', options: { M: 3, N: 4 } }],
        metrics: ['iou'],
      }),
      evaluate(dataset, {
        model,
        // @ts-expect-error: a column is a number
        methods: [{ method: stripe, options: { column: 'first' } }],
        metrics: ['iou'],
      }),
      evaluate(dataset, {
        model,
        methods: ['rise', { method: stripe, options: { column: 2 } }],
        // @ts-expect-error: a factor is a number
        metrics: ['iou', { metric: firstColumn, options: { factor: 'ten' } }],
      }),
      // @ts-expect-error: there is no such target
      evaluate(dataset, { model, methods: ['rise'], metrics: ['iou'], target: 'best' }),
    ];
    expect(never).toBeTypeOf('function');
  });
});

describe('a folder', () => {
  it('is refused while another evaluation writes to it', async () => {
    const seen: unknown[] = [];
    const pending: Promise<void>[] = [];
    await evaluate(dataset, {
      ...request,
      folder,
      onEstimate: () => {
        const second = evaluate(dataset, { ...request, folder, resume: true });
        pending.push(
          second.then(
            () => {},
            (error: Error) => void seen.push(error.message),
          ),
        );
      },
    });
    await Promise.all(pending);
    expect(seen).toEqual([expect.stringContaining('another evaluation is writing to')]);
    const lines = (await readFile(join(folder, 'scores.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(3 * 3 * 4);
  });

  it('is taken over from a process that has ended', async () => {
    const lock = join(folder, '.evaluating');
    const old = new Date(Date.now() - 300_000);
    await writeFile(lock, JSON.stringify({ token: 't', pid: 1, started: '', home: 'elsewhere' }));
    await expect(evaluate(dataset, { ...request, folder })).rejects.toThrow('another evaluation');
    await utimes(lock, old, old);
    await evaluate(dataset, { ...request, folder });
    expect(await readdir(folder)).not.toContain('.evaluating');
  });

  it.each([['{}'], ['null'], ['[]'], ['{"fovea":"0.1.0"}']])(
    'with %s as run.json is damaged',
    async (text) => {
      const { files } = await evaluate(dataset, { ...request, folder });
      await writeFile(String(files.settings), text);
      await expect(evaluate(dataset, { ...request, folder, resume: true })).rejects.toMatchObject({
        code: 'usage',
        message: expect.stringContaining('run.json is damaged'),
      });
    },
  );

  it.each([
    ['no value', (line: object) => ({ ...line, value: undefined }), 'value: is missing'],
    [
      'text as value',
      (line: object) => ({ ...line, value: '0.5' }),
      'value: expected number, got "0.5"',
    ],
    [
      'nothing else',
      () => ({ kind: 'map' }),
      'item: is missing; method: is missing; modelCalls: is',
    ],
  ])('with a record with %s is refused', async (_, change, message) => {
    const { files } = await evaluate(dataset, { ...request, folder });
    const path = String(files.records);
    const lines = (await readFile(path, 'utf8')).split('\n');
    lines[1] = JSON.stringify(change(JSON.parse(lines[1] ?? '')));
    await writeFile(path, lines.join('\n'));
    await expect(evaluate(dataset, { ...request, folder, resume: true })).rejects.toThrow(
      `line 2 is not a score (${message}`,
    );
  });

  it('computes a map again if its bytes have changed', async () => {
    await evaluate(dataset, { model, methods: [stripe], metrics: ['iou'], folder });
    for (const name of await readdir(join(folder, 'explanations'))) {
      if (!name.endsWith('.npy')) continue;
      const path = join(folder, 'explanations', name);
      const bytes = await readFile(path);
      await writeFile(path, bytes.fill(0xff, bytes.length - 8)); // two NaN
    }
    const { summary, problems } = await evaluate(dataset, {
      model,
      methods: [stripe],
      metrics: ['iou', firstColumn],
      folder,
      resume: true,
    });
    expect(problems).toEqual([]);
    expect(summary.table.map(({ value }) => value)).toEqual([1, 1]);
  });

  it('can be claimed by several processes with the same process id at once', async () => {
    const claims = Array.from({ length: 20 }, (_, index) =>
      evaluate(dataset, { ...request, folder, shard: { index, count: 20 } }),
    );
    const problems = (await Promise.all(claims)).flatMap((result) => result.problems);
    expect(problems).toEqual([]);
  });
});
