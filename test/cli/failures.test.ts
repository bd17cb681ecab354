import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeNpy } from '../../src/tensor/npy.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { CLI, folderOfScenes, fovea, ONE_LINE, QUICK, records, start } from './cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['good', 'fine']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (...parts: string[]) => join(folder, ...parts);

/**
 * The first bytes of a PNG file of this size: signature, IHDR and the start of its data, with right
 * checksums.
 */
function hugePng(side: number): Buffer {
  const crc = (bytes: Buffer): number => {
    let c = 0xffffffff;
    for (const byte of bytes) {
      c ^= byte;
      for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    }
    return (c ^ 0xffffffff) >>> 0;
  };
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', Buffer.from([0x78, 0x9c, 3, 0, 0, 0, 0, 1])),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

async function jpeg(): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  return sharp(at('good.png')).jpeg().toBuffer();
}

describe('a picture that cannot be explained: one sentence, the others done, exit code 1', () => {
  const bad: [name: string, bytes: () => Promise<Buffer | Uint8Array | string>][] = [
    ['truncated.jpg', async () => (await jpeg()).subarray(0, 4000)],
    ['text.png', async () => 'this is no picture'],
    ['empty.png', async () => ''],
    ['huge.png', async () => hugePng(30_000)],
    ['wrong-shape.npy', async () => encodeNpy(tensor([1, 3, 8, 8]))],
    [
      'nan.npy',
      async () =>
        encodeNpy(tensor([1, 3, 224, 224], new Float32Array(3 * 224 * 224).fill(Number.NaN))),
    ],
    ['text.npy', async () => 'no array'],
  ];
  test.each(bad)('%s', async (name, bytes) => {
    await writeFile(at(name), await bytes());
    const { code, stdout, stderr } = await fovea(
      ['explain', name, 'good.png', ...QUICK, '--out', 'out', '--json'],
      folder,
    );
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain(name);
    expect(stderr).not.toContain('internal');
    expect(records(stdout).map(({ image }) => image)).toEqual(['good.png']);
    expect(code).toBe(1);
  });

  test('a path and a pattern that name nothing', async () => {
    const { code, stdout, stderr } = await fovea(
      ['explain', 'missing.png', '*.bmp', 'good.png', ...QUICK, '--out', 'out', '--json'],
      folder,
    );
    expect(stderr).toBe('fovea: missing.png does not exist\nfovea: *.bmp matches no file\n');
    expect(records(stdout)).toHaveLength(1);
    expect(code).toBe(1);
  });
});

describe('wrong usage: one sentence, exit code 2, nothing written', () => {
  test.each([
    [
      ['--methods', 'gradcam'],
      'unknown method "gradcam": did you mean "grad-cam"? expected one of auto, iassa',
    ],
    [['--methods', 'rise', '--set', 'rise.masks=5'], 'rise has no option "masks"'],
    [['--methods', 'rise', '--set', 'rise.N=-5'], 'rise.N = -5'],
    [['--methods', 'rise,random', '--set', 'N=5'], 'name the method too'],
    [['--target', 'dragon'], 'target "dragon" is not a class of demo-cnn'],
    [['--target', '99'], 'target 99 is out of range'],
    [['--target', 'top:0'], 'top:0'],
    [['--colormap', 'rainbow'], 'unknown color map "rainbow"'],
    [['--format', 'gif'], 'is invalid: "gif": expected one of npy, png, json; see'],
    [['--device', 'tpu'], 'is invalid: "tpu": did you mean "cpu"? expected one of cpu, webgpu'],
    [['--seed', '1.5'], 'is invalid: expected an integer from 0'],
    [['--batch-size', '0'], 'an integer of at least 1'],
    [['--metod', 'rise'], "unknown option '--metod' (Did you mean --methods?)"],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await fovea(
      ['explain', 'good.png', '-m', 'demo-cnn', '--out', 'none', ...args],
      folder,
    );
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(await readdir(at('none')).catch(() => [])).toEqual([]);
  });

  test.each([
    [['explain'], "missing required argument 'image'"],
    [['explian', 'good.png'], "unknown command 'explian' (Did you mean explain?)"],
    [['iassa'], 'no picture is given'],
    [['methods', 'gradcam'], 'unknown method "gradcam"'],
  ])('%j', async (args, message) => {
    const { code, stderr } = await fovea(args, folder);
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});

describe('a model that cannot be loaded: one sentence, exit code 3', () => {
  test('a file that does not exist', async () => {
    const { code, stderr } = await fovea(
      ['explain', 'good.png', '--model', 'missing.onnx', '--out', 'out'],
      folder,
    );
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain('missing.onnx');
    expect(code).toBe(3);
  });

  test.each(['half', 'text', 'empty'])('%s of an .onnx file', async (kind) => {
    const whole = await readFile(new URL('../../src/demo/models/demo-cnn.onnx', import.meta.url));
    const bytes =
      { half: whole.subarray(0, whole.length / 2), text: 'no model', empty: '' }[kind] ?? '';
    await writeFile(at(`${kind}.onnx`), bytes);
    for (const args of [
      ['explain', 'good.png', '--model', `${kind}.onnx`, '--out', 'out'],
      ['inspect', `${kind}.onnx`],
    ]) {
      const { code, stdout, stderr } = await fovea(args, folder);
      expect(stderr).toMatch(ONE_LINE);
      expect(stderr).toContain(kind);
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    }
  });
});

describe('results that cannot be written', () => {
  test('a folder below a file', async () => {
    await writeFile(at('file.txt'), '');
    const { code, stderr } = await fovea(
      ['explain', 'good.png', ...QUICK, '--out', 'file.txt/maps'],
      folder,
    );
    expect(stderr).toBe(
      `fovea: cannot write ${join('file.txt', 'maps')}: a part of the path is a file, not a ` +
        'folder\n',
    );
    expect(code).toBe(3);
  });

  test('a folder where one result should be: that one fails, the others are done', async () => {
    await mkdir(at('taken/good.occlusion.png'), { recursive: true });
    const { code, stdout, stderr } = await fovea(
      ['explain', 'good.png', 'fine.png', ...QUICK, '--out', 'taken', '--json'],
      folder,
    );
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain(
      `cannot write ${join('taken', 'good.occlusion.png')}: there is a folder in its place`,
    );
    expect(records(stdout).map(({ image }) => image)).toEqual(['fine.png']);
    expect(code).toBe(1);
  });

  test('a full disk', async (context) => {
    await mkdir(at('full'), { recursive: true });
    const script =
      'mount -t tmpfs -o size=64k tmpfs full && node="$1" && shift && "$node" "$@"; code=$?; ls ' +
      '-A full >&2; exit $code';
    const args = [
      '-rm',
      'sh',
      '-c',
      script,
      'sh',
      process.execPath,
      CLI,
      'explain',
      'good.png',
      'fine.png',
      ...QUICK,
      '--out',
      'full',
    ];
    const mountable = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs tmpfs full'], {
      cwd: folder,
    });
    if (mountable.status !== 0) return context.skip('no small file system can be mounted here');
    const { status, stderr } = spawnSync('unshare', args, { cwd: folder, encoding: 'utf8' });
    expect(stderr.trim().split('\n')).toEqual([
      `fovea: good.png, occlusion: cannot write ${join('full', 'good.occlusion.npy')}: the disk ` +
        'is full',
      `fovea: fine.png, occlusion: cannot write ${join('full', 'fine.occlusion.npy')}: the disk ` +
        'is full',
    ]);
    expect(status).toBe(3);
  });

  test('a reader that goes away ends the work without a word', async () => {
    const {
      process: child,
      finished,
      seen,
    } = start(
      [
        'explain',
        'good.png',
        '--methods',
        'random,rise',
        '--set',
        'rise.N=1000000',
        '--out',
        'pipe',
        '--json',
      ],
      folder,
    );
    await seen('"random"');
    child.stdout?.destroy();
    child.kill('SIGINT');
    expect((await finished).code).toBe(130);
    const methods = start(['methods', '--json'], folder);
    methods.process.stdout?.destroy();
    expect(await methods.finished).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('Ctrl-C and SIGTERM', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s keeps what is finished, says how much, exits with 130',
    async (signal) => {
      const out = `kept-${signal}`;
      const {
        process: child,
        finished,
        seen,
      } = start(
        [
          'explain',
          'good.png',
          'fine.png',
          '--model',
          'demo-cnn',
          '--methods',
          'random,rise',
          '--set',
          'rise.N=1000000',
          '--out',
          out,
          '--json',
        ],
        folder,
      );
      await seen('"random"');
      child.kill(signal);
      const { code, stdout, stderr } = await finished;
      expect(stderr).toBe(`fovea: interrupted: 1 finished result is kept in ${out}\n`);
      expect(records(stdout)).toHaveLength(1);
      expect((await readdir(at(out))).sort()).toEqual([
        'good.random.json',
        'good.random.npy',
        'good.random.png',
      ]);
      expect(code).toBe(130);
    },
  );

  test('with the table, the finished results are printed', async () => {
    const { process: child, finished } = start(
      [
        'explain',
        'good.png',
        'fine.png',
        '--methods',
        'random,rise',
        '--set',
        'rise.N=1000000',
        '--out',
        'table',
      ],
      folder,
    );
    const written = async () =>
      (await readdir(at('table')).catch(() => [] as string[])).includes('good.random.json');
    while (!(await written())) await new Promise((resolve) => setTimeout(resolve, 50));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGINT');
    const { code, stdout } = await finished;
    expect(stdout).toContain('good.png  random');
    expect(code).toBe(130);
  });
});
