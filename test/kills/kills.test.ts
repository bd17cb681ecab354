import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/tensor/random.ts';
import { folderOfScenes, fovea, start } from '../cli/cli.ts';

/*
 * Commands that are killed at random moments and resumed with `--resume`, until they are done:
 * the results must be those of a command that nothing stopped. By default each command is killed
 * once with SIGKILL and once with SIGINT (Ctrl-C). For a long run, with other moments:
 *
 *   KILLS=50 KILLS_SEED=7 npx vitest run test/kills      50 of each signal over all commands
 */

const { KILLS = '3', KILLS_SEED = '1' } = process.env;
const SIGNALS = ['SIGKILL', 'SIGINT'] as const;

const EVALUATE = [
  ...['evaluate', '--dataset', 'demo-scenes', '--limit', '4', '--model', 'demo-cnn'],
  ...['--methods', 'grad-cam,gradient,rise', '--set', 'rise.N=2', '--threads', '1'],
  ...['--metrics', 'iou,pointing-game,f1', '--gallery', '2'],
];
const SAG = ['sag', 'one.png', 'two.png', '--model', 'demo-cnn', '--threads', '1'];

/** Commands that write to one folder at once, and the one command that gives the same results. */
interface Job {
  readonly name: string;
  readonly commands: readonly (readonly string[])[];
  readonly whole: readonly string[];
}

const JOBS: readonly Job[] = [
  { name: 'evaluate', commands: [EVALUATE], whole: EVALUATE },
  {
    name: 'evaluate in two parts',
    commands: ['1/2', '2/2'].map((shard) => [...EVALUATE, '--shard', shard]),
    whole: EVALUATE,
  },
  { name: 'sag', commands: [SAG], whole: SAG },
];

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one', 'two']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A value of JSON without what differs from run to run: how long things took. */
function timeless(text: string): unknown {
  return JSON.parse(text, (name, value) =>
    /^(seconds|sha256|.*Seconds|.*seconds)$/.test(name) && typeof value !== 'object' ? 0 : value,
  );
}

/** The files of results by name: bytes where they are promised to be equal. */
function resultsIn(path: string): Record<string, unknown> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.tmp'))
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));
  const isTimed = (name: string) => /report\.html|\.parquet$/.test(name);
  const lines: unknown[] = [];
  const results: Record<string, unknown> = {};
  for (const name of files.filter((each) => !isTimed(each)).sort()) {
    const bytes = readFileSync(join(path, name));
    if (name.endsWith('.jsonl'))
      lines.push(...bytes.toString().split('\n').slice(0, -1).map(timeless));
    else if (/summary\.json|explanations.*\.json/.test(name))
      results[name] = timeless(bytes.toString());
    else results[name] = bytes.toString('base64');
  }
  return { ...results, lines: lines.map((line) => JSON.stringify(line)).sort() };
}

const into = (command: readonly string[], out: string): string[] => [...command, '--out', out];

/** What a command that nothing stops gives, and how long it takes, in milliseconds. */
async function runWhole(command: readonly string[]) {
  const out = join(folder, `${command[0]} whole`);
  const began = performance.now();
  const end = await fovea(into(command, out), folder);
  expect(end, end.stderr).toMatchObject({ code: 0 });
  return { took: performance.now() - began, wanted: resultsIn(out) };
}

/** The results of commands that nothing stopped; each runs once. */
const wholes = new Map<readonly string[], ReturnType<typeof runWhole>>();
function wholeOf(command: readonly string[]): ReturnType<typeof runWhole> {
  const known = wholes.get(command) ?? runWhole(command);
  wholes.set(command, known);
  return known;
}

/** Starts the commands of a job, and stops them after a while. True if they had ended before. */
async function runUntil(
  commands: readonly string[][],
  milliseconds: number,
  signal: (typeof SIGNALS)[number],
): Promise<boolean> {
  const running = commands.map((command) => start(command, folder));
  const timer = setTimeout(() => {
    for (const { process } of running) process.kill(signal);
  }, milliseconds);
  const ends = await Promise.all(running.map(({ finished }) => finished));
  clearTimeout(timer);
  // A signal that comes before the command listens for it ends it like any other program.
  for (const { code, stderr } of ends) expect([0, 130, null], stderr).toContain(code);
  return ends.every(({ code }) => code === 0);
}

describe.each(JOBS)('$name', (job) => {
  const kills = Math.max(1, Math.round(Number(KILLS) / JOBS.length));

  it(
    `gives the same results after ${kills} of each signal`,
    async () => {
      const random = createRandom(Number(KILLS_SEED)).fork(job.name);
      const { wanted, took } = await wholeOf(job.whole);
      const signals = random.shuffle(SIGNALS.flatMap((signal) => Array(kills).fill(signal)));
      let rounds = 0;
      while (signals.length > 0) {
        const out = join(folder, `${job.name} ${rounds++}`);
        await mkdir(out);
        for (let isDone = false; !isDone; ) {
          const commands = job.commands.map((command) => [...into(command, out), '--resume']);
          const signal = signals.at(-1) ?? 'SIGKILL';
          // At any time of a run that does all; one that is shorter may end before.
          const moment = signals.length > 0 ? random.uniform() * took : 600_000;
          isDone = await runUntil(commands, moment, signal);
          if (!isDone) signals.pop();
        }
        if (job.commands.length > 1) await fovea([...into(job.whole, out), '--resume'], folder);
        expect(resultsIn(out)).toEqual(wanted);
        await rm(out, { recursive: true });
      }
      console.log(`${job.name}: ${kills} of each signal, ${rounds} times from the start`);
    },
    300_000 + 120_000 * kills,
  );
});
