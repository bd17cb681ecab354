import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { FoveaError, messageOf } from '../errors.ts';

/**
 * Why the signal of a command fired, where nobody reads its output any more: nothing is said then.
 */
export const BROKEN_OUTPUT = 'broken output';

/** A cell of a table; numbers are put to the right. */
export type Cell = string | number;

const BLANK = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  right: '',
  'right-mid': '',
  mid: '',
  'mid-mid': '',
  middle: '  ',
};

/**
 * A plain table: no frame, a rule under the head, no colours, so that it reads and greps well
 * anywhere.
 */
export function formatTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const numeric = head.map(
    (_, column) =>
      rows.length > 0 && rows.every((row) => /^(-?[\d,.]+%?|[–-])$/.test(String(row[column]))),
  );
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => String(row[column]).length)),
  );
  const table = new Table({
    chars: BLANK,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: numeric.map((right) => (right ? 'right' : 'left')),
  });
  table.push(
    [...head],
    widths.map((width) => '─'.repeat(width)),
    ...rows.map((row) => row.map(String)),
  );
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

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

/** A share of one as people read it: `97.3%`; small ones keep a digit that says something. */
export function formatShare(share: number): string {
  const percent = 100 * share;
  return percent !== 0 && percent < 0.1 ? '<0.1%' : `${percent.toFixed(1)}%`;
}

/** An integer with thousands separated: `12,345`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** Columns of the terminal, within what reads well. */
export function terminalWidth(): number {
  return Math.min(110, Math.max(60, process.stdout.columns ?? 100));
}

/** Shows how far the work is. */
export interface Progress {
  /** `share` 0 … 1 of everything; `what` says what is being done. */
  update(share: number, what: string): void;
  stop(): void;
}

/** What commands say, and where: results on stdout, all else on stderr. */
export interface Output {
  readonly json: boolean;
  /** Text for stdout; nothing with `--quiet` or `--json`. */
  print(text: string): void;
  /** One JSON object a line on stdout; only with `--json`. */
  record(value: object): void;
  /** Something to know, on stderr; nothing with `--quiet`. */
  note(text: string): void;
  /** Something that failed, on stderr, always. */
  fail(text: string, error?: unknown): void;
  readonly progress: Progress;
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ').trim();

/** The message of an error in one sentence; what is no FoveaError is a bug of ours and says so. */
export function describeError(error: unknown): string {
  if (error instanceof FoveaError) return error.message;
  return `internal: ${messageOf(error)} (a bug in Fovea; FOVEA_DEBUG=1 prints where)`;
}

/** The exit code of an error: 2 wrong usage, 130 interrupted, 1 anything else. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof FoveaError)) return 1;
  return error.code === 'usage' ? 2 : error.code === 'cancelled' ? 130 : 1;
}

/**
 * Writes a message to stderr as one line: `fovea: …`. With FOVEA_DEBUG in the environment, the
 * stack of `error` too.
 */
export function writeMessage(text: string, error?: unknown): void {
  process.stderr.write(`fovea: ${oneLine(text)}\n`);
  if (process.env.FOVEA_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
}

/** A bar on stderr where that is a terminal, drawn from the first update on. */
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
      if (!started) bar.start(1000, 0, { what });
      started = true;
      bar.update(Math.floor(1000 * Math.min(1, share)), { what });
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

/** The output of one command. */
export function createOutput({
  json = false,
  quiet = false,
}: {
  json?: boolean;
  quiet?: boolean;
}): Output {
  const bar = process.stderr.isTTY && !quiet ? createBar() : silent;
  const say = (text: string, error?: unknown) => {
    bar.clear();
    writeMessage(text, error);
  };
  return {
    json,
    print: (text) => {
      if (!json && !quiet) process.stdout.write(`${text}\n`);
    },
    record: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    note: (text) => {
      if (!quiet) say(text);
    },
    fail: say,
    progress: bar,
  };
}
