import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createScene } from '../../src/demo/scenes.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import { encodePng } from '../../src/node/write-image.ts';

/** The built command line. */
export const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** A command that ran to its end. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command, its output so far, and its end. */
export interface Running {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when stdout has this text. */
  seen(text: string): Promise<void>;
}

/** Starts `fovea` with arguments in a folder. */
export function start(args: readonly string[], cwd: string): Running {
  if (!existsSync(CLI)) throw new Error('the command line is not built: run npm run build first');
  const child = spawn(process.execPath, [CLI, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let check = () => {};
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk;
    check();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const finished = new Promise<Finished>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  );
  const seen = (text: string) =>
    new Promise<void>((resolve, reject) => {
      check = () => stdout.includes(text) && resolve();
      check();
      finished.then(() => reject(new Error(`ended before "${text}": ${stdout}${stderr}`)));
    });
  return { process: child, finished, seen };
}

/** The note of commands that use the built-in model because --model is not given. */
export const TOY_NOTE = /^fovea: no --model is given: demo-cnn is used, a toy network [^\n]+\n/;

/** Runs `fovea` with arguments in a folder. */
export function fovea(args: readonly string[], cwd: string): Promise<Finished> {
  return start(args, cwd).finished;
}

/** The JSON objects of a stdout that has only lines of JSON. */
export function records(stdout: string): Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** A new folder with pictures `NAME.png` of demo scenes. */
export async function folderOfScenes(names: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fovea-cli-'));
  const sprites = await loadSprites();
  for (const [i, name] of names.entries()) {
    await writeFile(
      join(folder, `${name}.png`),
      await encodePng(createScene(sprites, 88_000_000 + i, { className: 'teapot' }).image),
    );
  }
  return folder;
}

/** Occlusion with 16 model calls: the quickest method that uses the model. */
export const QUICK = [
  '--model',
  'demo-cnn',
  '--methods',
  'occlusion',
  '--set',
  'occlusion.window=56',
  '--set',
  'occlusion.stride=56',
];

/** Exactly one line of text, so not a stack trace. */
export const ONE_LINE = /^fovea: [^\n]+\n$/;
