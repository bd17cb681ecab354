import { SingleBar } from 'cli-progress';
import { FoveaError, messageOf } from '../errors.ts';
import { visibleText } from '../visible-text.ts';

/** The abort reason if the reader of stdout has gone. The command then ends without a message. */
export const BROKEN_OUTPUT = 'broken output';

/** Breaks text at spaces into lines of at most `width` characters, `indent` before each. */
export function wrapText(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => indent + each).join('\n');
}

/** A share as a percentage, such as `97.3%`; small shares above 0 are `<0.1%`. */
export function formatShare(share: number): string {
  const percent = 100 * share;
  return percent !== 0 && percent < 0.1 ? '<0.1%' : `${percent.toFixed(1)}%`;
}

/** An integer with thousands separated: `12,345`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** A duration in words: seconds, minutes or hours. */
export function formatDuration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** Columns of the terminal, but 60 to 110, which are easy to read. */
export function terminalWidth(): number {
  return Math.min(110, Math.max(60, process.stdout.columns ?? 100));
}

/** Shows the progress of a command. */
interface Progress {
  /** `share` is the share of all work that is done, 0 … 1; `what` is the current step. */
  update(share: number, what: string): void;
  stop(): void;
}

/** The output of commands: results go to stdout, everything else to stderr. */
export interface Output {
  readonly json: boolean;
  /** Writes text to stdout; nothing with `--quiet` or `--json`. */
  print(text: string): void;
  /** Writes one line of JSON to stdout; only with `--json`. */
  record(value: object): void;
  /** Writes an indented JSON document to stdout; only with `--json`. */
  document(value: object): void;
  /** Writes a note to stderr; nothing with `--quiet`. */
  note(text: string): void;
  /** Writes a failure to stderr, always. */
  fail(text: string, error?: unknown): void;
  readonly progress: Progress;
}

/** A text as one line. (A pattern for spaces around line ends would take quadratic time.) */
export const joinLines = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');

const oneLine = (text: string): string => visibleText(joinLines(text));

/** Text of several lines, with control characters escaped. */
const visibleLines = (text: string): string => text.split('\n').map(visibleText).join('\n');

/** JSON that is safe on a terminal: it also escapes C1 and direction controls. */
const safeJson = (value: object, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** The message of an error in one sentence. Any error except a FoveaError is reported as a bug. */
export function describeError(error: unknown): string {
  if (error instanceof FoveaError) return error.message;
  return `internal: ${messageOf(error)} (a bug in Fovea; FOVEA_DEBUG=1 prints where)`;
}

/** The exit codes of commands. */
export const EXIT = {
  done: 0,
  someFailed: 1,
  wrongUsage: 2,
  nothingRan: 3,
  interrupted: 130,
} as const;

/** The exit code after an error that ended a command before its first result. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof FoveaError)) return EXIT.nothingRan;
  if (error.code === 'usage') return EXIT.wrongUsage;
  return error.code === 'cancelled' ? EXIT.interrupted : EXIT.nothingRan;
}

/**
 * Writes a message to stderr as one line: `fovea: …`. With FOVEA_DEBUG in the environment, the
 * stack of `error` too.
 */
export function writeMessage(text: string, error?: unknown): void {
  process.stderr.write(`fovea: ${oneLine(text)}\n`);
  if (process.env.FOVEA_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
}

/** A progress bar on stderr, drawn from the first update on. */
function createBar(): Progress & { clear(): void } {
  const bar = new SingleBar({
    format: '{bar} {percentage}%  {what}  {eta_formatted} left',
    stream: process.stderr,
    barsize: 24,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
    fps: 8,
    etaBuffer: 50,
    gracefulExit: false,
  });
  let started = false;
  return {
    update(share, what) {
      if (!started) bar.start(1000, 0, { what: visibleText(what) });
      started = true;
      bar.update(Math.floor(1000 * Math.min(1, share)), { what: visibleText(what) });
    },
    clear() {
      if (started) process.stderr.write('\r\x1b[2K');
    },
    stop() {
      if (started) bar.stop();
      started = false;
    },
  };
}

const silent = { update() {}, clear() {}, stop() {} };

/** Milliseconds between two lines of progress in a log. */
const LOG_EVERY = 60_000;

/** Progress for logs: one line per minute on stderr, with the share done and the time left. */
function createLog(): Progress & { clear(): void } {
  let started: number | undefined;
  let said = 0;
  return {
    ...silent,
    update(share, what) {
      const now = performance.now();
      if (started === undefined) [started, said] = [now, now];
      if (now - said < LOG_EVERY) return;
      said = now;
      const left = share > 0 ? ((now - started) / 1000) * (1 / Math.min(1, share) - 1) : undefined;
      const rest = left === undefined ? '' : `, about ${formatDuration(left)} left`;
      writeMessage(`${Math.floor(100 * Math.min(1, share))}% done: ${what}${rest}`);
    },
    stop() {
      started = undefined;
    },
  };
}

/** The output of one command. */
export function createOutput({
  json = false,
  quiet = false,
}: {
  json?: boolean;
  quiet?: boolean;
}): Output {
  const bar = quiet ? silent : process.stderr.isTTY ? createBar() : createLog();
  const say = (text: string, error?: unknown) => {
    bar.clear();
    writeMessage(text, error);
  };
  return {
    json,
    print: (text) => {
      if (json || quiet) return;
      bar.clear();
      process.stdout.write(`${visibleLines(text)}\n`);
    },
    record: (value) => {
      if (json) process.stdout.write(`${safeJson(value)}\n`);
    },
    document: (value) => {
      if (json) process.stdout.write(`${safeJson(value, 2)}\n`);
    },
    note: (text) => {
      if (!quiet) say(text);
    },
    fail: say,
    progress: bar,
  };
}
