import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FoveaError } from '../../src/errors.ts';
import { createRandom, type Random } from '../../src/tensor/random.ts';
import { visibleText } from '../../src/visible-text.ts';
import { watch } from './watchdog.ts';

/** Code that reads data from outside, and inputs that try to break it. */
interface Target<Input> {
  readonly name: string;
  /** Inputs per run of the test suite, chosen so that all targets together take a minute. */
  readonly count: number;
  /** Called once; returns what makes an input and what reads it. */
  prepare(): Promise<Trial<Input>> | Trial<Input>;
}

/** How one target is tried. */
interface Trial<Input> {
  make(random: Random): Input;
  /** Reads the input. It returns a result, or throws a FoveaError. */
  read(input: Input): unknown;
  /** Called after the last input. */
  end?(): unknown;
}

/** Which inputs are tried: as many as the target says, for some seconds, or one by its number. */
export interface FuzzSettings {
  readonly seed: number;
  readonly seconds?: number;
  readonly only?: number;
}

/** A target that can be tried. */
export interface FuzzTarget {
  readonly name: string;
  run(settings: FuzzSettings): Promise<Outcome>;
}

/** Declares a target. */
export const defineTarget = <Input>(target: Target<Input>): FuzzTarget => ({
  name: target.name,
  run: (settings) => fuzz(target, settings),
});

/** The result of a run of a target. */
interface Outcome {
  readonly inputs: number;
  /** Inputs that were refused with a FoveaError. */
  readonly refused: number;
  readonly slowest: { readonly ms: number; readonly input: number };
  readonly failures: readonly string[];
}

/** The longest message that a person can be expected to read. */
const MOST_CHARACTERS = 2000;
const MOST_FAILURES = 20;

/** The problem of a trial; undefined for a result or an error that users may see. */
function problemOf(error: unknown): string | undefined {
  if (!(error instanceof FoveaError)) {
    const { name, message, stack = '' } = error as Error;
    const where = stack.split('\n').find((line) => /\/(src|dist)\//.test(line)) ?? '';
    return `a raw ${name}: ${message.slice(0, 300)} ${where.trim()}`;
  }
  const { code, message } = error;
  if (code === 'internal') return `the code "internal": ${message.slice(0, 300)}`;
  if (/^internal:|: internal:/.test(message)) return `"internal": ${message.slice(0, 300)}`;
  if (message.length > MOST_CHARACTERS) return `a message of ${message.length} characters`;
  return message === visibleText(message) ? undefined : `control characters: ${message}`;
}

/** Keeps an input that failed where a person can find it. */
function keep(name: string, input: unknown): string {
  const folder = join(tmpdir(), 'fovea-fuzz');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  const isBytes = input instanceof Uint8Array || typeof input === 'string';
  const text = () =>
    JSON.stringify(input, (_, value) =>
      value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('base64') } : value,
    );
  writeFileSync(path, isBytes ? input : (text() ?? ''));
  return path;
}

/** The stream of random numbers of one input: it depends on the seed, the target and its number. */
const streamOf = (seed: number, name: string, i: number): Random =>
  createRandom(seed).fork(name).fork(i);

/**
 * Tries a target with `count` inputs, or for `seconds`. Each input may take ten seconds of the
 * processor and two gigabytes; the process ends with a message if one takes more.
 */
async function fuzz<Input>(
  target: Target<Input>,
  { seed, seconds, only }: FuzzSettings,
): Promise<Outcome> {
  const { make, read, end } = await target.prepare();
  const guard = watch(`${target.name}, FUZZ_SEED=${seed}`);
  const failures: string[] = [];
  const until = performance.now() + 1000 * (seconds ?? 0);
  const goesOn = (i: number) =>
    seconds === undefined ? i < target.count : performance.now() < until;
  let [i, refused, slowest] = [only ?? 0, 0, { ms: 0, input: 0 }];
  for (; only === undefined ? goesOn(i) : i === only; i++) {
    const input = make(streamOf(seed, target.name, i));
    const start = performance.now();
    guard.begin(i);
    try {
      await read(input);
    } catch (error) {
      refused++;
      const problem = problemOf(error);
      if (problem !== undefined)
        failures.push(
          `input ${i}: ${problem}; kept in ${keep(`${target.name}-${seed}-${i}`, input)}`,
        );
    } finally {
      guard.finish();
    }
    const took = Math.round(performance.now() - start);
    if (took > slowest.ms) slowest = { ms: took, input: i };
    if (failures.length >= MOST_FAILURES) break;
  }
  await end?.();
  guard.end();
  return { inputs: i - (only ?? 0), refused, slowest, failures };
}
