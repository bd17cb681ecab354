import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { runProgram } from '../../../src/cli/program.ts';
import { createDataset } from '../../../src/datasets/dataset.ts';
import { evaluate } from '../../../src/evaluate/evaluate.ts';
import { image } from '../../../src/image/image.ts';
import { createMask } from '../../../src/image/mask.ts';
import { createFunctionModel } from '../../../src/model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../../../src/model/input/preprocessing.ts';
import { encodePng } from '../../../src/node/write-image.ts';
import type { Random } from '../../../src/tensor/random.ts';
import { tensor } from '../../../src/tensor/tensor.ts';
import { defineTarget } from '../engine.ts';
import { temporaryFolder } from '../folder.ts';
import { mutateBytes } from '../mutations/bytes.ts';
import { mutateJson } from '../mutations/json.ts';
import { chance, pick } from '../mutations/pick.ts';

const SIDE = 8;

const model = createFunctionModel({
  name: 'even',
  labels: ['a', 'b'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] },
  output: 'probabilities',
  classify: async ({ shape: [n = 0] }) => tensor([n, 2], new Float32Array(2 * n).fill(0.5)),
});

const squares = createDataset({
  name: 'squares',
  length: 2,
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
});

const request = {
  model,
  methods: ['random', { method: 'rise', options: { N: 2, s: 2 } }],
  metrics: ['iou', 'pointing-game', 'deletion'],
} as const;

interface Damage {
  readonly file: string;
  readonly bytes: Uint8Array;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A file of results with something in it changed that knows its form. */
function damageOf(file: string, bytes: Uint8Array, random: Random): Damage {
  if (file.endsWith('.npy') || chance(random, 0.1))
    return { file, bytes: mutateBytes(bytes, random) };
  const text = new TextDecoder().decode(bytes);
  if (!file.endsWith('.jsonl')) return { file, bytes: utf8(mutateJson(JSON.parse(text), random)) };
  const lines = text.trimEnd().split('\n');
  const i = random.integer(lines.length);
  const changed = mutateJson(JSON.parse(lines[i] ?? '{}'), random);
  const end = chance(random, 0.9) ? '\n' : '';
  return { file, bytes: utf8(lines.with(i, changed).join('\n') + end) };
}

/** All files below a folder, relative to it. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1));

/** The folder of an evaluation that is resumed: settings, scores and maps. */
const evaluation = defineTarget<Damage>({
  name: 'evaluation',
  count: 100,
  async prepare() {
    const folder = temporaryFolder('evaluation');
    const whole = folder.at('whole');
    await evaluate(squares, { ...request, folder: whole });
    const names = filesIn(whole).filter((name) =>
      /run\.json|scores\.jsonl|explanations/.test(name),
    );
    const seeds = names.map(
      (name) => [name, new Uint8Array(readFileSync(`${whole}/${name}`))] as const,
    );
    const steering = seeds.filter(([name]) => !name.includes('explanations'));
    let run = 0;
    return {
      make: (random) => damageOf(...pick(random, chance(random, 0.7) ? steering : seeds), random),
      async read({ file, bytes }) {
        const copy = folder.at(String(run++));
        cpSync(whole, copy, { recursive: true });
        writeFileSync(`${copy}/${file}`, bytes);
        const { summary } = await evaluate(squares, { ...request, folder: copy, resume: true });
        const wrong = summary.table.find(({ value }) => value !== null && !Number.isFinite(value));
        if (wrong) throw new Error(`${wrong.method} has ${wrong.value} by ${wrong.metric}`);
      },
      end: folder.remove,
    };
  },
});

/** Runs a command line without output; returns its exit code and its text on stderr. */
async function runQuietly(args: readonly string[]): Promise<{ code: number; stderr: string }> {
  const written: string[] = [];
  const { stdout, stderr } = process;
  const [toOutput, toErrors] = [stdout.write, stderr.write];
  stdout.write = () => true;
  stderr.write = (text: unknown) => written.push(String(text)) > 0;
  try {
    return { code: await runProgram(args, new AbortController().signal), stderr: written.join('') };
  } finally {
    stdout.write = toOutput;
    stderr.write = toErrors;
  }
}

/** The results of `explain` that `--resume` looks at: manifest and map. */
const explained = defineTarget<Damage>({
  name: 'explained',
  count: 15,
  async prepare() {
    const folder = temporaryFolder('explained');
    const gray = { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64).fill(99) };
    writeFileSync(folder.at('gray.png'), await encodePng(gray));
    mkdirSync(folder.at('whole'));
    const command = (out: string) => [
      ...['explain', folder.at('gray.png'), '--model', 'demo-cnn', '--methods', 'random'],
      ...['--threads', '1', '--out', out, '--resume', '--json'],
    ];
    await runQuietly(command(folder.at('whole')));
    const seeds = ['gray.random.json', 'gray.random.npy'].map(
      (name) => [name, new Uint8Array(readFileSync(folder.at('whole', name)))] as const,
    );
    let run = 0;
    return {
      make: (random) => damageOf(...pick(random, seeds), random),
      async read({ file, bytes }) {
        const copy = folder.at(String(run++));
        cpSync(folder.at('whole'), copy, { recursive: true });
        writeFileSync(`${copy}/${file}`, bytes);
        const { code, stderr } = await runQuietly(command(copy));
        if (code !== 0 || stderr !== '') throw new Error(`exit code ${code}: ${stderr}`);
      },
      end: folder.remove,
    };
  },
});

export const results = [evaluation, explained];
