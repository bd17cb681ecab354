import { visibleText } from '../visible-text.ts';

/** A cell of a table. */
export type Cell = string | number;

/** The first of a label's synonyms: `tench` of `tench, Tinca tinca`. */
export const shortLabel = (label: string): string => label.split(',')[0] ?? label;

/** Characters that take two columns of a terminal: East Asian scripts and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Emoji_Presentation}/gu;
const MARKS = /\p{Mark}/gu;

/** The number of terminal columns that a text takes. */
function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  const characters = [...text.replace(MARKS, '')].length;
  return characters + (text.match(WIDE)?.length ?? 0);
}

/** A column of a table that is printed row by row. */
export interface Column {
  readonly title: string;
  /** Columns of the terminal for its cells; longer cells push the rest of their row. */
  readonly width: number;
  /** Whether its cells are aligned to the right. */
  readonly isNumeric?: boolean;
  /**
   * Which end of a long cell is cut off, if the row does not fit the terminal; none if left out.
   */
  readonly cut?: 'start' | 'end';
}

/**
 * The column of texts that are known before the first row.
 * @param cut - the end of a long cell that may be cut off: the start of a path, the end of a label
 * @param most - the largest width; longer cells push the rest of their row, or are cut
 */
export function columnOf(
  title: string,
  texts: Iterable<string>,
  cut?: 'start' | 'end',
  most = Number.POSITIVE_INFINITY,
): Column {
  let width = widthOf(title);
  for (const text of texts) width = Math.max(width, widthOf(visibleText(text)));
  return { title, width: Math.min(width, most), cut };
}

/** A column of numbers, at least as wide as its title. */
export const numbersOf = (title: string, width = 0): Column => ({
  title,
  width: Math.max(width, widthOf(title)),
  isNumeric: true,
});

/** The least width that a column is cut to. */
const LEAST = 8;

/**
 * Columns that fit a terminal as well as cutting allows. The widest column that may be cut loses
 * its excess first. A last column that may be cut gets the rest of the line.
 */
function fitted(columns: readonly Column[], terminal: number): Column[] {
  const result = [...columns];
  const total = columns.reduce((sum, { width }) => sum + width + 2, -2);
  let excess = total - terminal;
  while (excess > 0) {
    const widest = [...result.entries()]
      .filter(([, { cut, width }]) => cut && width > LEAST)
      .sort(([, a], [, b]) => b.width - a.width);
    const [first, second] = widest;
    if (!first) break;
    const [i, column] = first;
    const step = Math.max(1, column.width - Math.max(LEAST, second?.[1].width ?? LEAST));
    const width = column.width - Math.min(step, excess);
    excess -= column.width - width;
    result[i] = { ...column, width };
  }
  const last = result.at(-1);
  if (last?.cut && excess < 0) result[result.length - 1] = { ...last, width: last.width - excess };
  return result;
}

/** A text without its start or its end, if it is wider than `width`. */
function cutTo(text: string, width: number, cut: 'start' | 'end'): string {
  if (widthOf(text) <= width) return text;
  const characters = cut === 'end' ? [...text] : [...text].reverse();
  const kept: string[] = [];
  let taken = 1;
  for (const character of characters) {
    taken += widthOf(character);
    if (taken > width) break;
    kept.push(character);
  }
  return cut === 'end' ? `${kept.join('')}…` : `…${kept.reverse().join('')}`;
}

/**
 * A table whose rows are printed as they come. The widths are known before the first row, so all
 * rows line up. `add` prints one row; the first call prints the head too.
 * @param terminal - columns of the terminal; undefined for a file or a pipe: then nothing is cut
 */
export function rowPrinter(
  columns: readonly Column[],
  print: (line: string) => void,
  terminal: number | undefined = process.stdout.columns,
): { add(cells: readonly Cell[]): void; readonly isEmpty: boolean } {
  const fit = terminal === undefined ? columns : fitted(columns, terminal);
  const line = (cells: readonly Cell[]): string =>
    fit
      .map(({ width, isNumeric, cut }, i) => {
        const whole = visibleText(String(cells[i] ?? ''));
        const text = cut && terminal !== undefined ? cutTo(whole, width, cut) : whole;
        const space = ' '.repeat(Math.max(0, width - widthOf(text)));
        return isNumeric ? space + text : text + space;
      })
      .join('  ')
      .trimEnd();
  let isEmpty = true;
  return {
    add(cells) {
      if (isEmpty) {
        print(line(fit.map(({ title }) => title)));
        print(fit.map(({ width }) => '─'.repeat(width)).join('  '));
      }
      isEmpty = false;
      print(line(cells));
    },
    get isEmpty() {
      return isEmpty;
    },
  };
}

/**
 * A plain table without frame and colors, with a rule under the head, so that it is easy to read
 * and to grep. Numbers are aligned to the right. Control characters in cells are escaped.
 */
export function formatTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [head, ...rows].map((row) =>
    row.map((cell) => {
      const text = visibleText(String(cell));
      return { text, width: widthOf(text) };
    }),
  );
  const columns = head.map((_, column) => {
    let width = 0;
    let numeric = rows.length > 0;
    for (const [i, line] of lines.entries()) {
      const cell = line[column];
      width = Math.max(width, cell?.width ?? 0);
      if (i > 0) numeric &&= /^(-?[\d,.]+%?|[–-])$/.test(cell?.text ?? '');
    }
    return { width, numeric };
  });
  const format = (cells: (typeof lines)[number]): string =>
    columns
      .map(({ width, numeric }, column) => {
        const { text, width: own } = cells[column] ?? { text: '', width: 0 };
        const space = ' '.repeat(width - own);
        return numeric ? space + text : text + space;
      })
      .join('  ')
      .trimEnd();
  const [first = [], ...rest] = lines;
  const rule = columns.map(({ width }) => '─'.repeat(width)).join('  ');
  return [format(first), rule, ...rest.map(format)].join('\n');
}
