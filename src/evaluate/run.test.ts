import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { openDataset, selectSamples } from '../datasets/index.ts';
import { FoveaError } from '../errors.ts';
import { methods as registry } from '../methods/index.ts';
import { loadModel } from '../node/load-model.ts';
import { tensor } from '../tensor/tensor.ts';
import {
  counted,
  datasetOf,
  evaluationOf,
  folder,
  four,
  lines,
  method,
  metric,
  SIDE,
  sample,
} from './fixtures/left-half.ts';
import { type Problem, runEvaluation } from './run.ts';
import { openStore } from './store.ts';
import { summarise } from './summarise.ts';

describe('runEvaluation', () => {
  it('scores completeness only for methods that promise it', async () => {
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

  it('scores every method on every sample, and makes no model call in a second run', async () => {
    const store = await openStore(folder);
    expect(await runEvaluation(evaluationOf(four()), store)).toEqual([]);
    const records = await lines();
    expect(records.filter(({ kind }) => kind === 'map')).toHaveLength(8);
    expect(records.filter(({ kind }) => kind === 'score')).toHaveLength(16);
    counted.calls = 0;
    await runEvaluation(evaluationOf(four()), await openStore(folder));
    expect(counted.calls).toBe(0);
    expect(await lines()).toEqual(records);
  });

  it('reads maps from the cache for another metric', async () => {
    await runEvaluation(evaluationOf(four()), await openStore(folder));
    counted.calls = 0;
    await runEvaluation(
      evaluationOf(four(), {
        metrics: [metric('f1')],
      }),
      await openStore(folder),
    );
    expect(counted.calls).toBe(4); // each picture is classified, and not explained again
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

  it('reports damaged, unlabelled and unknown samples and a missing mask and goes on', async () => {
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

  it('explains the most probable of the classes that count as the label', async () => {
    const dataset = datasetOf([sample('a', 0, { label: { name: 'side', indices: [2, 0] } })]);
    await runEvaluation(evaluationOf(dataset), await openStore(folder));
    expect((await lines()).find(({ kind }) => kind === 'map')).toMatchObject({
      target: { index: 0 },
      label: 'side',
    });
  });

  it('leaves out pictures that the model misclassifies, if the target is recognised', async () => {
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

  it('does not count skipped pictures as remaining', async () => {
    const unlabelled = sample('b', 0, { label: undefined });
    const estimates: unknown[] = [];
    await runEvaluation(
      evaluationOf(datasetOf([unlabelled, sample('a', 0)])),
      await openStore(folder),
      { onEstimate: (estimate) => estimates.push(estimate) },
    );
    expect(estimates).toEqual([{ modelCalls: expect.any(Number), samples: 1, secondsLeft: 0 }]);
  });

  it('tries a method that the model cannot run only once', async () => {
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

  it('counts a wrong map or any other error as a failure of its picture', async () => {
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

  it('tries a method on the other pictures if it finds no explanation of one', async () => {
    // A black picture has the same class, so no patch is needed for it.
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

  it('splits the work into parts, and joins their scores', async () => {
    const whole = four();
    for (const index of [0, 1]) {
      const part = `${index + 1}-of-2`;
      await runEvaluation(
        evaluationOf(selectSamples(whole, { shard: { index, count: 2 } }), { part }),
        await openStore(folder, part),
      );
      expect(await lines(`scores.${part}.jsonl`)).toHaveLength(12);
    }
    counted.calls = 0;
    const store = await openStore(folder);
    await runEvaluation(evaluationOf(whole), store);
    expect(counted.calls).toBe(0);
    expect(summarise(evaluationOf(whole), store, []).pictures).toBe(4);
  });
});
