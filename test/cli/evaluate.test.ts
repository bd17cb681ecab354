import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePng } from '../../src/node/write-image.ts';
import { folderOfScenes, fovea, ONE_LINE, records, start } from './cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one', 'two', 'three']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const QUICK = [
  '--methods',
  'occlusion',
  '--set',
  'occlusion.window=56',
  '--set',
  'occlusion.stride=56',
  '--set',
  'deletion.step=7168',
  '--metrics',
  'deletion,iou',
];
const scenes = (count: number) => [
  'evaluate',
  '--dataset',
  'demo-scenes',
  '--limit',
  String(count),
  ...QUICK,
];

const textOf = (name: string) => readFile(join(folder, name), 'utf8');
const linesOf = (text: string) => text.split('\n').slice(0, -1);
const keyOf = (line: string) => {
  const { kind, item, method, metric } = JSON.parse(line);
  return [kind, item, method, metric].join(' ');
};
/** A line without its time. */
const resultOf = (line: string) => ({ ...JSON.parse(line), seconds: 0 });

/** Waits until a file has this many whole lines. */
async function grown(name: string, lines: number): Promise<void> {
  for (;;) {
    const text = await textOf(name).catch(() => '');
    if (linesOf(text).length >= lines) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('evaluate', () => {
  test('scores, table, report: with the controls, and the class of the scene', async () => {
    const { code, stdout } = await fovea([...scenes(3), '--out', 'whole'], folder);
    expect(code).toBe(0);
    for (const name of [
      'occlusion',
      'random',
      'centre',
      'deletion ↓',
      'iou ↑',
      'mean rank',
      '3 pictures. Report: whole/report.html',
    ])
      expect(stdout).toContain(name);
    expect(linesOf(await textOf('whole/scores.jsonl'))).toHaveLength(3 * 3 * 3);
    const summary = JSON.parse(await textOf('whole/summary.json'));
    expect(summary).toMatchObject({
      pictures: 3,
      problems: [],
      settings: { target: 'ground-truth', seed: 0 },
    });
    expect(summary.table).toHaveLength(6);
    expect((await stat(join(folder, 'whole/scores.parquet'))).size).toBeGreaterThan(500);
    expect(await textOf('whole/report.html')).toContain('centre (control)');
  });

  test('if it is killed and resumed, it repeats nothing and has the same results', async () => {
    const args = [...scenes(5), '--out', 'killed'];
    let before = '';
    for (const lines of [2, 20]) {
      const running = start([...args, ...(before === '' ? [] : ['--resume'])], folder);
      await grown('killed/scores.jsonl', lines);
      running.process.kill('SIGKILL');
      expect((await running.finished).code).toBeNull();
      const now = await textOf('killed/scores.jsonl');
      const whole = now.slice(0, now.lastIndexOf('\n') + 1);
      expect(whole.startsWith(before)).toBe(true);
      before = whole;
    }
    const { code, stderr } = await fovea([...args, '--resume'], folder);
    expect(code).toBe(0);
    expect(stderr).toMatch(/\d+ are there already/);
    const after = await textOf('killed/scores.jsonl');
    expect(after.startsWith(before)).toBe(true);
    const keys = linesOf(after).map(keyOf);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).toHaveLength(5 * 3 * 3);
    await fovea([...scenes(5), '--out', 'uninterrupted'], folder);
    expect(linesOf(after).map(resultOf)).toEqual(
      linesOf(await textOf('uninterrupted/scores.jsonl')).map(resultOf),
    );
  });

  test('Ctrl-C keeps what is done', async () => {
    const running = start([...scenes(200), '--out', 'stopped'], folder);
    await grown('stopped/scores.jsonl', 5);
    running.process.kill('SIGINT');
    const { code, stderr } = await running.finished;
    expect(code).toBe(130);
    expect(stderr).toContain('interrupted: what is done is kept in stopped: add --resume to go on');
  });

  test('an earlier run is neither overwritten nor mixed with another', async () => {
    expect(await fovea([...scenes(3), '--out', 'whole'], folder)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('add --resume'),
    });
    const other = await fovea([...scenes(3), '--out', 'whole', '--resume', '--seed', '7'], folder);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('seed was 0, now 7') });
  });

  test('a damaged picture is a failure, a missing mask is counted, the rest is done', async () => {
    await mkdir(join(folder, 'masks'), { recursive: true });
    await mkdir(join(folder, 'album'), { recursive: true });
    for (const name of ['one', 'two'])
      await writeFile(
        join(folder, `album/${name}.png`),
        await readFile(join(folder, `${name}.png`)),
      );
    await writeFile(join(folder, 'album/broken.jpg'), 'no picture');
    await writeFile(
      join(folder, 'masks/one.png'),
      await encodePng({
        width: 224,
        height: 224,
        channels: 1,
        data: new Uint8Array(224 * 224).fill(255, 0, 9000),
      }),
    );
    const { code, stderr, stdout } = await fovea(
      [
        'evaluate',
        '--dataset',
        'image-folder:album',
        '--data',
        'masks=masks',
        ...QUICK,
        '--out',
        'album-results',
        '--json',
      ],
      folder,
    );
    expect(code).toBe(1);
    expect(stderr).toContain('broken.jpg');
    expect(stderr).toContain('1 of 2 pictures have no mask: metrics that need one leave them out');
    expect(stderr).toContain('has no labels: the class that the model predicts is explained');
    const [last] = records(stdout).slice(-1);
    expect(last).toMatchObject({ summary: { pictures: 2 } });
    expect(
      records(stdout).filter(({ metric, value }) => metric === 'iou' && value === null),
    ).toHaveLength(3);
    const summary = JSON.parse(await textOf('album-results/summary.json'));
    expect(summary.problems).toMatchObject([{ kind: 'damaged', item: 'broken' }]);
    expect(await textOf('album-results/report.html')).toContain(
      'iou has no score for 1 of 2 pictures with any method',
    );
  });

  test('a method that is requested by name and cannot run is a failure', async () => {
    const one = ['evaluate', '--dataset', 'demo-scenes', '--limit', '1', '--metrics', 'iou'];
    const { code, stderr } = await fovea([...one, '--methods', 'gae', '--out', 'unable'], folder);
    expect(code).toBe(1);
    expect(stderr).toContain('gae');
    const first = JSON.parse(await textOf('unable/summary.json'));
    expect(first).toMatchObject({ pictures: 1, problems: [{ kind: 'not-run', method: 'gae' }] });
  });

  test('a data set without any picture that can be scored', async () => {
    await mkdir(join(folder, 'classes/giraffe'), { recursive: true });
    await writeFile(
      join(folder, 'classes/giraffe/one.png'),
      await readFile(join(folder, 'one.png')),
    );
    const { code, stderr } = await fovea(
      [
        'evaluate',
        '--dataset',
        'image-folder:classes',
        ...QUICK.slice(0, -1),
        'deletion',
        '--out',
        'unknown',
      ],
      folder,
    );
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /no picture of image-folder:classes was scored: .*use --classes predicted\n$/,
    );
  });

  test('parts of the work, each on its own, then the report of all', async () => {
    for (const shard of ['1/2', '2/2']) {
      const { code, stderr } = await fovea(
        [...scenes(3), '--out', 'parts', '--shard', shard],
        folder,
      );
      expect(code).toBe(0);
      expect(stderr).toContain(
        `part ${shard.replace('/', ' of ')}: ${shard === '1/2' ? '2 pictures' : '1 picture'} × 3 ` +
          'methods',
      );
      expect(stderr).toContain('run the same without --shard and with --resume');
    }
    const { code, stdout, stderr } = await fovea(
      [...scenes(3), '--out', 'parts', '--resume'],
      folder,
    );
    expect(code).toBe(0);
    expect(stderr).toContain('18 are there already');
    expect(stdout).toContain('3 pictures. Report');
    expect(JSON.parse(await textOf('parts/summary.json')).table).toEqual(
      JSON.parse(await textOf('whole/summary.json')).table,
    );
  });

  test('the list of the IIA repository', async () => {
    await writeFile(join(folder, 'pics.txt'), 'one.png 29\ntwo.png 29\n');
    const { code, stdout } = await fovea(
      [
        'evaluate',
        '--pics',
        'pics.txt',
        '--images',
        '.',
        ...QUICK.slice(0, -1),
        'deletion',
        '--out',
        'pics',
      ],
      folder,
    );
    expect(code).toBe(0);
    expect(stdout).toContain('2 pictures. Report');
    const elsewhere = await fovea(
      [
        'evaluate',
        '--pics',
        'pics.txt',
        '--images',
        'album',
        ...QUICK.slice(0, -1),
        'deletion',
        '--out',
        'pics',
        '--resume',
      ],
      folder,
    );
    expect(elsewhere).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        'settings of the data set was {"images":"."}, now {"images":"album"}',
      ),
    });
  });

  test.each([
    [['--dataset', 'image-folder:empty'], 'contains no pictures'],
    [['--dataset', 'demo-scenes'], 'the data set is endless: say how many samples to take'],
    [['--dataset', 'coco:nowhere'], 'cannot be read: it does not exist'],
    [[], 'there is no data set: give --dataset KIND:PATH'],
    [
      ['--dataset', 'demo-scenes', '--limit', '1', '--metrics', 'delation'],
      'unknown metric "delation"',
    ],
    [
      ['--dataset', 'demo-scenes', '--limit', '1', '--data', 'colour=red'],
      'demo-scenes has no option "colour"',
    ],
    [
      ['--dataset', 'demo-scenes', '--limit', '1', '--metrics', 'all,delation'],
      'unknown metric "delation"',
    ],
    [
      ['--dataset', 'demo-scenes', '--limit', '1', '--methods', 'all,nonsense'],
      'unknown method "nonsense"',
    ],
    [['--pics', 'pics.txt', '--images', '.', '--metrics', 'f1'], 'f1 needs masks'],
    [['--pics', 'pics.txt', '--images', '.', '--metrics', 'all,f1'], 'f1 needs masks'],
    [
      ['--dataset', 'image-folder:album', '--target', 'ground-truth'],
      'has no labels: use the target "predicted"',
    ],
  ])('%j is wrong usage, in a sentence', async (args, message) => {
    await mkdir(join(folder, 'empty'), { recursive: true });
    const { code, stdout, stderr } = await fovea(
      ['evaluate', ...args, '-m', 'demo-cnn', '--out', 'wrong'],
      folder,
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain(message);
  });

  test('a folder that cannot be written', async () => {
    const { code, stderr } = await fovea([...scenes(1), '--out', '/proc/fovea'], folder);
    expect(code).toBe(1);
    expect(stderr).toContain('cannot write /proc/fovea');
  });
});

describe('segmentation', () => {
  test('by the published protocol', async () => {
    const pictures = [{ id: 1, file_name: 'one.png', width: 224, height: 224 }];
    const annotations = [
      {
        image_id: 1,
        category_id: 1,
        segmentation: [[40, 40, 180, 40, 180, 180, 40, 180]],
        iscrowd: 0,
      },
    ];
    await writeFile(
      join(folder, 'instances.json'),
      JSON.stringify({ images: pictures, annotations, categories: [{ id: 1, name: 'kettle' }] }),
    );
    const { code } = await fovea(
      [
        'segmentation',
        '--dataset',
        'coco:instances.json',
        ...QUICK.slice(0, 6),
        '--out',
        'segmentation',
      ],
      folder,
    );
    expect(code).toBe(0);
    const { metrics, settings } = JSON.parse(await textOf('segmentation/summary.json'));
    expect(metrics.map(({ key, level }: Record<string, string>) => [key, level])).toEqual([
      ['pixel-accuracy', 'data-set'],
      ['mean-iou', 'data-set'],
      ['average-precision', 'mean'],
      ['f1:chefer-2021-rows', 'mean'],
    ]);
    expect(settings).toMatchObject({
      target: 'predicted',
      dataset: {
        protocol: expect.arrayContaining([
          expect.stringContaining('union of all annotations'),
          'Settings of the data set: masks=union, crowd=include.',
        ]),
      },
    });
  });

  test('an unknown data set', async () => {
    expect(await fovea(['segmentation', '--dataset', 'ade20k:x'], folder)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('expected voc:PATH, coco:PATH or imagenet:FILE'),
    });
  });
});
