import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { describeError, exitCodeOf } from '../../src/cli/output.ts';
import { runProgram } from '../../src/cli/program.ts';
import type { Manifest } from '../../src/explanation.ts';
import { decodeNpy } from '../../src/tensor/npy.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** The test of a recorded case, whose files are in a folder. */
export type Case = (folder: string) => Promise<void>;

/** A command that ran to its end. */
export interface Finished {
  /** Its exit code. */
  readonly code: number;
  readonly stdout: string;
  /** What stderr got, and the sentence of an error that ended the command. */
  readonly stderr: string;
}

/** Runs a command line in this process. */
export async function runCommand(...args: readonly string[]): Promise<Finished> {
  const text = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      text[stream] += String(chunk);
      return true;
    }),
  );
  try {
    const code = await runProgram(args, new AbortController().signal);
    return { code, ...text };
  } catch (error) {
    return { code: exitCodeOf(error), ...text, stderr: text.stderr + describeError(error) };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** A new folder, which goes when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fovea-case-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A command that made maps; `name` is the end of a file's name, such as `rise` or `rise.1`. */
export interface Explained extends Finished {
  map(name: string): Promise<Tensor>;
  manifest(name: string): Promise<Manifest>;
}

/** `fovea explain PICTURE --model MODEL --methods METHODS …`. */
export async function explainPicture(
  picture: string,
  model: string,
  methods: string,
  ...args: readonly string[]
): Promise<Explained> {
  const folder = await temporaryFolder();
  const [stem] = (picture.split('/').at(-1) ?? '').split('.');
  const asked = ['explain', picture, '--model', model, '--methods', methods, ...args];
  const finished = await runCommand(...asked, '--format', 'npy,json', '--out', folder);
  const read = (name: string) => readFile(join(folder, `${stem}.${name}`));
  return {
    ...finished,
    map: async (name) => decodeNpy(await read(`${name}.npy`), name),
    manifest: async (name) => JSON.parse(String(await read(`${name}.json`))) as Manifest,
  };
}

/** The names of all files below a folder, sorted. */
export const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
    .sort();
