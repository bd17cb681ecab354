import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../node/write-image.ts';
import { createRandom } from '../tensor/random.ts';
import type { Sample } from './dataset.ts';
import {
  COCO_TO_IMAGENET,
  cocoToImagenet,
  VOC_CLASSES,
  vocToImagenet,
} from './imagenet-classes.ts';
import { openDataset } from './index.ts';
import { fillPolygon } from './polygon.ts';
import { decodeRuns, fromRuns } from './rle.ts';

/** COCO's text for runs, written from the definition: the inverse of the tested function. */
function encodeRuns(runs: readonly number[]): string {
  let text = '';
  for (const [i, run] of runs.entries()) {
    let value = i > 2 ? run - runs[i - 2] : run;
    for (let more = true; more; ) {
      const bits = value & 31;
      value >>= 5;
      more = bits & 16 ? value !== -1 : value !== 0;
      text += String.fromCharCode(48 + (more ? bits | 32 : bits));
    }
  }
  return text;
}

/** The runs of a mask, down the columns. */
function runsOf(mask: Uint8Array, width: number, height: number): number[] {
  const runs = [0];
  let value = 0;
  for (let k = 0; k < mask.length; k++) {
    if (mask[(k % height) * width + Math.floor(k / height)] !== value) {
      runs.push(0);
      value = 1 - value;
    }
    runs[runs.length - 1] += 1;
  }
  return runs;
}

describe('run-length masks', () => {
  it('are decoded from runs and from COCO text, for masks with long and short runs', () => {
    const random = createRandom(5);
    for (const [width, height, density] of [
      [7, 5, 0.5],
      [40, 90, 0.02],
      [64, 3, 0.9],
      [1, 1, 0],
      [300, 200, 0.001],
    ] as const) {
      const mask = Uint8Array.from({ length: width * height }, () =>
        random.uniform() < density ? 1 : 0,
      );
      const runs = runsOf(mask, width, height);
      expect(decodeRuns(encodeRuns(runs))).toEqual(runs);
      expect([...fromRuns(runs, width, height)]).toEqual([...mask]);
    }
  });

  it('refuse runs that do not fill the picture, and text that is not a run-length code', () => {
    expect(() => fromRuns([3, 2], 2, 2)).toThrow('more pixels than its 2×2');
    expect(() => fromRuns([1, 2], 2, 2)).toThrow('has 3 pixels: expected 2×2 = 4');
    expect(() => decodeRuns('P')).toThrow('cut off');
    expect(() => decodeRuns(' ')).toThrow('contains the character');
  });
});

describe('polygons', () => {
  const fill = (width: number, height: number, points: number[]) => {
    const mask = new Uint8Array(width * height);
    fillPolygon(mask, width, height, points);
    return mask;
  };

  it('fill the pixels whose centres are inside', () => {
    expect([...fill(4, 3, [1, 1, 3, 1, 3, 3, 1, 3])]).toEqual([0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0]);
    expect([...fill(3, 1, [0.6, 0, 2.4, 0, 2.4, 1, 0.6, 1])]).toEqual([0, 1, 0]);
  });

  it('agree with a point-in-polygon test for a star that crosses itself and the border', () => {
    const points = Array.from({ length: 5 }, (_, i) => [
      20 + 24 * Math.sin((4 * Math.PI * i) / 5),
      15 - 18 * Math.cos((4 * Math.PI * i) / 5),
    ]);
    const inside = (x: number, y: number) =>
      points.filter(([xa, ya], i) => {
        const [xb, yb] = points[(i + 1) % 5];
        return ya > y !== yb > y && x < xa + ((y - ya) * (xb - xa)) / (yb - ya);
      }).length % 2;
    const expected = Array.from({ length: 40 * 30 }, (_, i) =>
      inside((i % 40) + 0.5, Math.floor(i / 40) + 0.5),
    );
    expect([...fill(40, 30, points.flat())]).toEqual(expected);
  });
});

describe('the table of classes', () => {
  it('contains ImageNet classes, each of them once', () => {
    const all = Object.values(COCO_TO_IMAGENET).flat();
    expect(all.every((index) => Number.isInteger(index) && index >= 0 && index < 1000)).toBe(true);
    expect(new Set(all).size).toBe(all.length);
    expect(Object.keys(COCO_TO_IMAGENET)).toHaveLength(80);
    expect([cocoToImagenet('dog').length, cocoToImagenet('constructor')]).toEqual([118, []]);
    expect(VOC_CLASSES.filter((name) => vocToImagenet(name).length === 0)).toEqual(['person']);
    expect(vocToImagenet('sofa')).toEqual([831]);
  });

  it('is the same in the documentation', async () => {
    const page = await readFile(new URL('../../docs/datasets.md', import.meta.url), 'utf8');
    for (const [category, classes] of Object.entries(COCO_TO_IMAGENET)) {
      const [, row] = new RegExp(`^\\| ${category} \\| (\\d.*) \\|$`, 'm').exec(page) ?? [];
      const shown = [...(row ?? '').matchAll(/(\d+)(?:–(\d+))?/g)].flatMap(([, from, to = from]) =>
        Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => Number(from) + i),
      );
      expect([category, shown]).toEqual([category, [...classes]]);
    }
  });
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-coco-'));
  await mkdir(join(folder, 'images'));
  const picture = (name: string, width: number, height: number) =>
    encodePng({ width, height, data: new Uint8Array(3 * width * height).fill(90) }).then((bytes) =>
      writeFile(join(folder, 'images', name), bytes),
    );
  await picture('1.png', 6, 4);
  await picture('2.png', 4, 4);
  await writeFile(join(folder, 'images', '3.png'), 'no picture');
  const crowd = Uint8Array.from([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
  const annotation = (
    image_id: number,
    category_id: number,
    segmentation: unknown,
    iscrowd = 0,
  ) => ({
    image_id,
    category_id,
    segmentation,
    iscrowd,
    bbox: [1, 1, 2, 2],
  });
  const instances = {
    images: [
      { id: 1, file_name: '1.png', width: 6, height: 4 },
      { id: 2, file_name: '2.png', width: 4, height: 4 },
      { id: 3, file_name: '3.png', width: 4, height: 4 },
    ],
    categories: [
      { id: 18, name: 'dog' },
      { id: 1, name: 'person' },
      { id: 62, name: 'chair' },
    ],
    annotations: [
      annotation(1, 18, [
        [0, 0, 2, 0, 2, 2, 0, 2],
        [4, 0, 6, 0, 6, 1, 4, 1],
      ]),
      annotation(1, 1, [[0, 3, 6, 3, 6, 4, 0, 4]]),
      annotation(2, 62, { size: [4, 4], counts: [5, 2, 9] }),
      annotation(2, 62, { size: [4, 4], counts: encodeRuns(runsOf(crowd, 4, 4)) }, 1),
      annotation(3, 18, [[0, 0, 2, 0, 2, 2]]),
      annotation(2, 99, [[0, 0, 2, 0, 2, 2]]),
      annotation(77, 18, [[0, 0, 2, 0, 2, 2]]),
      { image_id: 1, category_id: 18 },
    ],
  };
  await writeFile(join(folder, 'instances.json'), JSON.stringify(instances));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function samples(options: Record<string, unknown>): Promise<Sample[]> {
  const all: Sample[] = [];
  for await (const sample of await openDataset(`coco:${folder}`, options)) all.push(sample);
  return all;
}

describe('coco', () => {
  it('has one sample per ImageNet category, with polygons and run lengths as masks', async () => {
    const dataset = await openDataset(`coco:${folder}`);
    expect(Array.from({ length: dataset.length }, (_, i) => dataset.idOf(i))).toEqual([
      '1.dog',
      '2.chair',
      '3.dog',
    ]);
    const [dog, chair, ...rest] = await samples({});
    expect(rest).toEqual([]); // 3.png is damaged, and skipped
    expect(dog.label).toEqual({ name: 'dog', indices: COCO_TO_IMAGENET.dog });
    expect([...(dog.mask?.data ?? [])]).toEqual([
      1,
      1,
      0,
      0,
      1,
      1,
      1,
      1,
      0,
      0,
      0,
      0,
      ...new Array(12).fill(0),
    ]);
    expect([...(chair.mask?.data ?? [])]).toEqual([1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0]);
    expect(chair.boxes).toHaveLength(2);
  });

  it('joins all annotations, with or without crowds', async () => {
    const [one, two] = await samples({ masks: 'union', crowd: 'exclude' });
    expect([...(one.mask?.data ?? [])].slice(18)).toEqual([1, 1, 1, 1, 1, 1]);
    expect([...(two.mask?.data ?? [])]).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect(one.label).toBeUndefined();
  });

  it('reports damaged annotations and those of unknown categories and pictures', async () => {
    const { problems, protocol } = await openDataset(`coco:${folder}`);
    expect(problems.map((text) => text.replace(/^.*annotation/, 'annotation'))).toEqual([
      'annotation 6: unknown category 99',
      'annotation 7: unknown picture 77',
      'annotation 8: expected image_id, category_id and a segmentation of polygons or run lengths',
    ]);
    expect(protocol.join(' ')).toContain('left out: person');
  });

  it.each([
    ['coco:/nowhere', {}, /instances.json, COCO's instances, cannot be read: it does not exist/],
    ['coco', {}, /needs a path/],
    ['cocoa:x', {}, /unknown data set "cocoa:x": did you mean/],
    ['demo-scenes', { masks: 'union' }, /demo-scenes has no option "masks"/],
  ])('refuses %s in one sentence', async (spec, options, message) => {
    await expect(
      openDataset(spec as string, options as Record<string, unknown>),
    ).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message as RegExp),
    });
  });
});
