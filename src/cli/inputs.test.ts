import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expandInputs, resultNames } from './inputs.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-inputs-'));
  await mkdir(join(folder, 'deep', 'er'), { recursive: true });
  await mkdir(join(folder, 'empty'));
  const files = [
    'a10.png',
    'a2.JPG',
    'a1.webp',
    'notes.txt',
    'deep/er/z.jpeg',
    'a1.rise.png',
    'a1.rise.5.png',
    '.hidden.png',
    '[x].png',
  ];
  for (const file of files) await writeFile(join(folder, file), '');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const expand = async (...inputs: string[]) => {
  const { files, ...rest } = await expandInputs(
    inputs.map((input) => join(folder, input)),
    ['rise'],
  );
  return { files: files.map((file) => relative(folder, file)), ...rest };
};

describe('expandInputs', () => {
  test('a folder means its pictures at any depth, without hidden files and results', async () => {
    const { files, problems, leftOut } = await expand('');
    expect(files).toEqual([
      '[x].png',
      'a1.webp',
      'a2.JPG',
      'a10.png',
      join('deep', 'er', 'z.jpeg'),
    ]);
    expect(problems).toEqual([]);
    expect(leftOut).toBe(2);
  });

  test('a pattern that the shell has not expanded', async () => {
    expect((await expand('a*.{png,JPG}')).files).toEqual(['a2.JPG', 'a10.png']);
    expect((await expand('**/*.jpeg')).files).toEqual([join('deep', 'er', 'z.jpeg')]);
  });

  test('a file whose name looks like a pattern is that file', async () => {
    expect((await expand('[x].png')).files).toEqual(['[x].png']);
  });

  test('a result of an earlier run is used if the user names it', async () => {
    expect((await expand('a1.rise.png')).files).toEqual(['a1.rise.png']);
  });

  test('each file once', async () => {
    expect((await expand('a10.png', 'a10.png', 'a1*.png')).files).toEqual(['a10.png']);
  });

  test('arguments without files are reported', async () => {
    const { problems } = await expand('missing.png', '*.bmp', 'empty');
    expect(problems.map(({ message }) => message.replaceAll(folder, 'DIR'))).toEqual([
      'DIR/missing.png does not exist',
      'DIR/*.bmp matches no file',
      expect.stringMatching(/^DIR\/empty contains no pictures \(jpg, /),
    ]);
  });
});

describe('resultNames', () => {
  const namesOf = (...files: string[]) => files.map((file) => resultNames(files).get(file));

  test('the stem', () => {
    expect(namesOf('in/cat.png', 'dog.v2.jpg', 'noending')).toEqual(['cat', 'dog.v2', 'noending']);
  });

  test('equal stems get their folders', () => {
    expect(namesOf('in/a/cat.png', 'in/b/cat.png', 'in/dog.png')).toEqual([
      'a/cat',
      'b/cat',
      'dog',
    ]);
    expect(namesOf('in/cat.png', 'in/b/cat.png')).toEqual(['cat', 'b/cat']);
  });

  test('equal stems in one folder get their extensions', () => {
    expect(namesOf('cat.png', 'cat.jpg')).toEqual(['cat.png', 'cat.jpg']);
    expect(namesOf('a/cat.png', 'a/cat.jpg', 'b/cat.jpg')).toEqual([
      'a/cat.png',
      'a/cat.jpg',
      'b/cat',
    ]);
  });

  test('names that differ only by case count as equal', () => {
    expect(namesOf('Cat.png', 'cat.jpg')).toEqual(['Cat.png', 'cat.jpg']);
  });

  test('no two inputs get the same name', () => {
    const names = namesOf('cat.png', 'cat.jpg', 'x/cat.jpg.png', 'cat.jpg.gif', 'CAT.png.tif');
    expect(new Set(names.map((name) => name?.toLowerCase())).size).toBe(5);
  });
});
