import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readBytes, readWeights } from './model-file.ts';
import { readLabels } from './read-labels.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fovea-model-file-'));
  await mkdir(join(root, 'model/data'), { recursive: true });
  await writeFile(join(root, 'secret'), 'secret');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (e: { code: string; message: string }) => `${e.code}: ${e.message}`,
  );
const textOf = async (bytes: Promise<Uint8Array | undefined>) =>
  String.fromCharCode(...((await bytes) ?? []));

it('reads weights beside the model, through links within its folder', async () => {
  await writeFile(join(root, 'model/data/weights'), 'w');
  await symlink('data/weights', join(root, 'model/link'));
  await symlink(join(root, 'model'), join(root, 'elsewhere'));
  expect(await textOf(readWeights(join(root, 'model'), 'data/weights'))).toBe('w');
  expect(await textOf(readWeights(join(root, 'elsewhere'), 'link'))).toBe('w');
  expect(await readWeights(join(root, 'model'), 'none')).toBeUndefined();
});

it.each([
  ['a file', async () => symlink(join(root, 'secret'), join(root, 'model/w'))],
  ['a relative link', async () => symlink('../secret', join(root, 'model/w'))],
  [
    'a chain',
    async () => {
      await symlink('../secret', join(root, 'model/first'));
      await symlink('first', join(root, 'model/w'));
    },
  ],
  [
    'a folder that begins alike',
    async () => {
      await mkdir(join(root, 'model-2'));
      await writeFile(join(root, 'model-2/w'), 'w');
      await symlink('../model-2/w', join(root, 'model/w'));
    },
  ],
])('refuses weights that are a link out of the folder: %s', async (_what, lay) => {
  await lay();
  expect(await errorOf(readWeights(join(root, 'model'), 'w'))).toMatch(
    /^model: .*model\/w is a link to .*, outside the model's folder, which is refused$/,
  );
});

it('follows the links of the cache of Hugging Face into its blobs, and no further', async () => {
  const [snapshot, blobs] = ['snapshots/abc/onnx', 'blobs'].map((each) =>
    join(root, 'models--org--net', each),
  );
  await mkdir(snapshot ?? '', { recursive: true });
  await mkdir(blobs ?? '');
  await writeFile(join(blobs ?? '', '1234'), 'w');
  await symlink('../../../blobs/1234', join(snapshot ?? '', 'w'));
  await symlink('../../../../secret', join(snapshot ?? '', 'x'));
  expect(await textOf(readWeights(snapshot ?? '', 'w'))).toBe('w');
  expect(await errorOf(readWeights(snapshot ?? '', 'x'))).toMatch(/^model: .*is a link to/);
});

it.skipIf(process.platform === 'win32')('does not wait for a pipe, nor read a device', async () => {
  execFileSync('mkfifo', [join(root, 'model/pipe')]);
  expect(await errorOf(readBytes(join(root, 'model/pipe')))).toMatch(/is not a regular file$/);
  expect(await errorOf(readBytes('/dev/zero'))).toBe('model: /dev/zero is not a regular file');
});

it('reads labels from a file, and says what is wrong with one', async () => {
  await writeFile(join(root, 'labels.txt'), 'cat\ndog\n');
  expect(await readLabels(join(root, 'labels.txt'))).toEqual(['cat', 'dog']);
  expect(await errorOf(readLabels(join(root, 'none.txt')))).toMatch(
    /^usage: .*none.txt does not exist$/,
  );
  expect(await errorOf(readLabels(root))).toMatch(/^usage: .*cannot be read: it is not a file$/);
});
