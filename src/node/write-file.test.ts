import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { requireWritableFolder, writeFileAtomic } from './write-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-write-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Writes half of the bytes, then fails as a full disk does. */
async function fullDisk(path: string, bytes: Uint8Array | string): Promise<void> {
  await writeFile(path, bytes.slice(0, bytes.length / 2));
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
}

describe('writeFileAtomic', () => {
  test('makes the folder and leaves nothing but the file', async () => {
    await writeFileAtomic(join(folder, 'a/b/map.npy'), 'bytes');
    expect(await readdir(join(folder, 'a/b'))).toEqual(['map.npy']);
    expect(await readFile(join(folder, 'a/b/map.npy'), 'utf8')).toBe('bytes');
  });

  test('a full disk: one sentence, the old file stays, no temporary file', async () => {
    const path = join(folder, 'map.npy');
    await writeFileAtomic(path, 'old');
    await expect(writeFileAtomic(path, 'new bytes', fullDisk)).rejects.toMatchObject({
      code: 'output',
      message: `cannot write ${path}: the disk is full`,
    });
    expect(await readdir(folder)).toEqual(['map.npy']);
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  test("a folder in the file's place, a file in the folder's place", async () => {
    await mkdir(join(folder, 'map.npy'));
    await expect(writeFileAtomic(join(folder, 'map.npy'), 'x')).rejects.toThrow(
      'there is a folder in its place',
    );
    await writeFile(join(folder, 'file.txt'), '');
    await expect(writeFileAtomic(join(folder, 'file.txt/sub/map.npy'), 'x')).rejects.toThrow(
      'is a file, not a folder',
    );
  });
});

describe('requireWritableFolder', () => {
  test('makes it and leaves it empty', async () => {
    await requireWritableFolder(join(folder, 'out/maps'));
    expect(await readdir(join(folder, 'out/maps'))).toEqual([]);
  });

  test.runIf(process.platform === 'linux')(
    'a folder in which the system makes no folders',
    async () => {
      await expect(requireWritableFolder('/proc/fovea/maps')).rejects.toThrow(
        'cannot write /proc/fovea/maps: no folder can be made there',
      );
    },
  );

  test('a file in its place, or a full disk', async () => {
    await writeFile(join(folder, 'file.txt'), '');
    await expect(requireWritableFolder(join(folder, 'file.txt'))).rejects.toThrow(
      'file.txt: there is a file where a folder is needed',
    );
    await expect(requireWritableFolder(join(folder, 'full'), fullDisk)).rejects.toThrow(
      'the disk is full',
    );
    expect(await readdir(join(folder, 'full'))).toEqual([]);
  });
});
