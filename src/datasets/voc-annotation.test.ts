import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readBoxes } from './voc-annotation.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-voc-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function boxesOf(text: string, name?: string) {
  const path = join(folder, 'a.xml');
  await writeFile(path, text);
  return readBoxes(path, name);
}

const object = (name: string, [xmin, ymin, xmax, ymax]: readonly (number | string)[]) =>
  `<object><name>${name}</name><part><name>head</name><bndbox><xmin>7</xmin></bndbox></part>
   <bndbox><ymax>${ymax}</ymax><xmin> ${xmin} </xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax></bndbox></object>`;

it('reads boxes, which VOC counts from 1 with both ends inside', async () => {
  const text = `<?xml version="1.0"?><annotation><!-- <object> --><filename>a.jpg</filename>
    ${object('cat', [1, 2, 10, 4])}${object('dog &amp; co', [3, 3, 3.5, 3])}</annotation>`;
  const cat = { left: 0, top: 1, width: 10, height: 3 };
  const dog = { left: 2, top: 2, width: 1.5, height: 1 };
  expect(await boxesOf(text)).toEqual([cat, dog]);
  expect(await boxesOf(text, 'dog & co')).toEqual([dog]);
  expect(await boxesOf(text, 'head')).toEqual([]); // a part is not an object
});

it('leaves out objects whose box has no numbers, and reads files without objects', async () => {
  const text = `<annotation>${object('cat', ['x', 1, 1, 1])}<object>text</object></annotation>`;
  expect(await boxesOf(text)).toEqual([]);
  expect(await boxesOf('<annotation></annotation>')).toEqual([]);
  expect(await readBoxes(join(folder, 'none.xml'))).toEqual([]);
});

it.each([
  ['text', 'hello', /not an annotation of VOC/],
  ['another file', '<html></html>', /expected <annotation>/],
  ['an open tag', '<annotation><object>', /not an annotation of VOC/],
  [
    'entities that grow',
    `<!DOCTYPE a [<!ENTITY a "${'b'.repeat(99)}">
    <!ENTITY b "${'&a;'.repeat(99)}"><!ENTITY c "${'&b;'.repeat(99)}">]><annotation>&c;</annotation>`,
    /not an annotation/,
  ],
])('refuses %s in one sentence', async (_what, text, message) => {
  const error = await boxesOf(text).catch((cause) => cause);
  expect(error).toMatchObject({ code: 'image', message: expect.stringMatching(message) });
  expect(error.message).not.toContain('\n');
});

it.each(['<object>', '</object>', '<!--', '<![CDATA[', '<?', '<a b="', '<', '<!DOCTYPE ', '&'])(
  'reads %j many times in linear time',
  async (piece) => {
    const begin = process.cpuUsage();
    await boxesOf(piece.repeat(Math.floor(1e6 / piece.length))).catch((cause) => {
      expect(cause).toMatchObject({ code: 'image' });
    });
    // In seconds. An earlier version took a minute.
    expect(process.cpuUsage(begin).user / 1e6).toBeLessThan(5);
  },
);
