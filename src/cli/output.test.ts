import { expect, test, vi } from 'vitest';
import { FoveaError } from '../errors.ts';
import { createOutput, describeError, exitCodeOf, formatShare, wrapText } from './output.ts';
import { columnOf, formatTable, numbersOf, rowPrinter } from './table.ts';

test('formatTable aligns columns, numbers to the right, without trailing spaces', () => {
  expect(
    formatTable(
      ['name', 'calls'],
      [
        ['iassa', '12,345'],
        ['rise', '–'],
      ],
    ),
  ).toBe(['name    calls', '─────  ──────', 'iassa  12,345', 'rise        –'].join('\n'));
});

test('formatTable aligns text to the left', () => {
  expect(
    formatTable(
      ['n', 'class'],
      [
        ['1', 'cat'],
        ['10', '7up'],
      ],
    ),
  ).toBe([' n  class', '──  ─────', ' 1  cat', '10  7up'].join('\n'));
});

test('formatTable lays out 150,000 rows', () => {
  const rows = Array.from({ length: 150_000 }, (_, i) => [`picture-${i}`, i]);
  const lines = formatTable(['picture', 'n'], rows).split('\n');
  expect(lines).toHaveLength(150_002);
  expect(lines.at(-1)).toBe('picture-149999  149999');
});

test('formatTable escapes control characters, and counts wide characters twice', () => {
  const text = formatTable(
    ['label', 'x'],
    [
      ['\x1b]0;t\x07', 'a'],
      ['猫', 'b'],
      ['a\nb', 'c'],
    ],
  );
  expect(text.split('\n').slice(2)).toEqual([
    '\\x1b]0;t\\x07  a',
    `猫${' '.repeat(12)}b`,
    `a\\x0ab${' '.repeat(8)}c`,
  ]);
});

test('wrapText breaks at spaces and indents', () => {
  expect(wrapText('one two three four', 12, '  ')).toBe('  one two\n  three four');
  expect(wrapText('averyveryverylongword x', 8)).toBe('averyveryverylongword\nx');
});

test('formatShare', () => {
  expect([0, 0.00001, 0.5, 0.99999, 1].map(formatShare)).toEqual([
    '0.0%',
    '<0.1%',
    '50.0%',
    '100.0%',
    '100.0%',
  ]);
});

test('exit codes', () => {
  expect(exitCodeOf(new FoveaError('usage', ''))).toBe(2);
  expect(exitCodeOf(new FoveaError('cancelled', ''))).toBe(130);
  expect(exitCodeOf(new FoveaError('model', ''))).toBe(3);
  expect(exitCodeOf(new Error('bug'))).toBe(3);
});

test('an error that is not a FoveaError is reported as a bug, without a stack', () => {
  expect(describeError(new TypeError('x is undefined'))).toMatch(
    /^internal: x is undefined \(a bug in Fovea/,
  );
});

/** The lines that `work` writes to a stream of the process. */
function captured(stream: 'stdout' | 'stderr', isTTY: boolean, work: () => void): string[] {
  const lines: string[] = [];
  const write = vi.spyOn(process[stream], 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  const before = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY');
  Object.defineProperty(process.stderr, 'isTTY', { value: isTTY, configurable: true });
  try {
    work();
  } finally {
    write.mockRestore();
    if (before) Object.defineProperty(process.stderr, 'isTTY', before);
    else Reflect.deleteProperty(process.stderr, 'isTTY');
  }
  return lines;
}

test('a log gets one line per minute: what is done, of how many, and the time left', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const lines = captured('stderr', false, () => {
    const { progress } = createOutput({});
    for (let second = 0; second <= 150; second += 5) {
      progress.update(second / 600, `picture ${1 + Math.floor(second / 60)} of 10, rise`);
      vi.advanceTimersByTime(5000);
    }
    const quiet = createOutput({ quiet: true });
    quiet.progress.update(0, 'x');
    vi.advanceTimersByTime(100_000);
    quiet.progress.update(0.5, 'x');
  });
  vi.useRealTimers();
  expect(lines).toEqual([
    'fovea: 10% done: picture 2 of 10, rise, about 9 min left\n',
    'fovea: 20% done: picture 3 of 10, rise, about 8 min left\n',
  ]);
});

test('rowPrinter prints each row at once, in columns whose widths are known before', () => {
  const lines: string[] = [];
  const columns = [
    columnOf('picture', ['a.png', 'long-name.png']),
    columnOf('class', ['tench', 'Cardigan Welsh corgi'], 'end'),
    numbersOf('calls'),
  ];
  const rows = rowPrinter(columns, (line) => lines.push(line), undefined);
  expect(rows.isEmpty).toBe(true);
  rows.add(['a.png', 'tench', '2,477']);
  expect(lines).toEqual([
    'picture        class                 calls',
    '─────────────  ────────────────────  ─────',
    'a.png          tench                 2,477',
  ]);
  rows.add(['long-name.png', 'Cardigan Welsh corgi', '12']);
  expect(lines[3]).toBe('long-name.png  Cardigan Welsh corgi     12');
  expect(rows.isEmpty).toBe(false);
  const narrow: string[] = [];
  rowPrinter(columns, (line) => narrow.push(line), 36).add([
    'long-name.png',
    'Cardigan Welsh corgi',
    1,
  ]);
  expect(narrow[2]).toBe('long-name.png  Cardigan Wels…      1');
  expect(narrow[2]).toHaveLength(36);
});

test('rowPrinter fits a terminal: paths lose their start, labels their end', () => {
  const lines: string[] = [];
  const columns = [
    columnOf('picture', ['photos/deep/long-name.png'], 'start'),
    columnOf('class', ['Cardigan Welsh corgi'], 'end', 18),
    numbersOf('calls'),
    columnOf('written', [], 'start'),
  ];
  const cells = [
    'photos/deep/long-name.png',
    'Cardigan Welsh corgi',
    '12',
    'out/long-name.rise.png',
  ];
  rowPrinter(columns, (line) => lines.push(line), 60).add(cells);
  expect(lines).toEqual([
    'picture                   class               calls  written',
    '────────────────────────  ──────────────────  ─────  ───────',
    '…otos/deep/long-name.png  Cardigan Welsh co…     12  …se.png',
  ]);
  rowPrinter(columns, (line) => lines.push(line), undefined).add(cells);
  expect(lines.at(-1)).toBe(cells.map((cell, i) => (i === 2 ? '   12' : cell)).join('  '));
  rowPrinter(columns, (line) => lines.push(line), 90).add(cells);
  expect(lines.at(-1)?.endsWith(' out/long-name.rise.png')).toBe(true);
});
