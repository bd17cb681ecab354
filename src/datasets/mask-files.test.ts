import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePng } from '../node/write-image.ts';
import { encodeNpy } from '../tensor/npy.ts';
import { tensor } from '../tensor/tensor.ts';
import { findMasks, readMasks } from './mask-files.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-masks-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);

describe('findMasks', () => {
  test("a picture's own mask, or else all masks named after it and no other picture", async () => {
    for (const name of [
      'a.png',
      'a_1.png',
      'b_2.png',
      'b_10.png',
      'b_x.png',
      'd_2_0.png',
      'd_3.png',
      'notes.txt',
    ])
      await writeFile(at(name), '');
    const masks = await findMasks(folder, [
      'in/a.jpg',
      'in/b.jpg',
      'in/b_x.jpg',
      'in/c.jpg',
      'in/d.jpg',
      'in/d_2.jpg',
    ]);
    expect([...masks].map(([file, paths]) => [file, paths.map((path) => basename(path))])).toEqual([
      ['in/a.jpg', ['a.png']],
      ['in/b.jpg', ['b_2.png', 'b_10.png']],
      ['in/b_x.jpg', ['b_x.png']],
      ['in/d.jpg', ['d_3.png']],
      ['in/d_2.jpg', ['d_2_0.png']],
    ]);
  });

  test('a folder that does not exist', async () => {
    await expect(findMasks(at('nowhere'), [])).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('readMasks', () => {
  test('joins masks of one size, refuses other sizes and names the file', async () => {
    const write = (name: string, width: number, data: number[]) =>
      encodePng({ width, height: 1, channels: 1, data: Uint8Array.from(data) }).then((bytes) =>
        writeFile(at(name), bytes),
      );
    await write('l.png', 3, [1, 0, 0]);
    await write('r.png', 3, [0, 0, 255]);
    await write('odd.png', 2, [0, 1]);
    expect([
      ...(await readMasks([at('l.png'), at('r.png')], { width: 3, height: 1 })).data,
    ]).toEqual([1, 0, 1]);
    await expect(readMasks([at('l.png'), at('odd.png')], { width: 3, height: 1 })).rejects.toThrow(
      'odd.png is 2×1: expected the size of the picture, 3×1',
    );
  });

  test('a damaged array makes a damaged sample', async () => {
    const whole = encodeNpy(tensor([1, 3], Float32Array.of(0, 1, 1)));
    await writeFile(at('whole.npy'), whole);
    await writeFile(at('half.npy'), whole.subarray(0, -4));
    expect([...(await readMasks([at('whole.npy')], { width: 3, height: 1 })).data]).toEqual([
      0, 1, 1,
    ]);
    await expect(readMasks([at('half.npy')], { width: 3, height: 1 })).rejects.toMatchObject({
      code: 'image',
      message: expect.stringContaining('half.npy'),
    });
  });
});
