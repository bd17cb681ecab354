import { visibleText } from '../visible-text.ts';

/** A cell of a table; numbers are put to the right. */
export type Cell = string | number;

/** Characters that take two columns of a terminal: East Asian scripts and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Emoji_Presentation}/gu;
const MARKS = /\p{Mark}/gu;

/** Columns of a terminal that a text takes. */
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
  /** Numbers are put to the right. */
  readonly isNumeric?: boolean;
  /** Whether long cells are cut where a row would not fit the terminal. */
  readonly isCut?: boolean;
}

/** The column of texts that are known before the first row. */
export function columnOf(title: string, texts: Iterable<string>, isCut = false): Column {
  let width = widthOf(title);
  for (const text of texts) width = Math.max(width, widthOf(visibleText(text)));
  return { title, width, isCut };
}

/** A column of numbers, at least as wide as its title. */
export const numbersOf = (title: string, width = 0): Column => ({
  title,
  width: Math.max(width, widthOf(title)),
  isNumeric: true,
});

/** The least width that a column is cut to. */
const LEAST = 12;

/** Columns that fit a terminal as well as cutting allows: what can be cut most is cut first. */
function fitted(columns: readonly Column[], terminal: number | undefined): Column[] {
  const result = [...columns];
  const total = columns.reduce((sum, { width }) => sum + width + 2, -2);
  let excess = terminal === undefined ? 0 : total - terminal;
  const order = [...columns.keys()].sort(
    (a, b) => (columns[b]?.width ?? 0) - (columns[a]?.width ?? 0),
  );
  for (const i of order) {
    const column = result[i];
    if (!column?.isCut || excess <= 0) continue;
    const width = Math.min(column.width, Math.max(LEAST, column.width - excess));
    excess -= column.width - width;
    result[i] = { ...column, width };
  }
  return result;
}

/** A text without its end, if it is wider than `width`. */
function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let cut = '';
  for (const character of text) {
    if (widthOf(cut + character) > width - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

/**
 * A table whose rows are printed as they come. The widths are known before, so each row costs the
 * same and all line up. `add` prints one row, with the head before the first.
 * @param terminal - columns of the terminal; undefined for a file or a pipe, which is never cut
 */
export function rowPrinter(
  columns: readonly Column[],
  print: (line: string) => void,
  terminal: number | undefined = process.stdout.columns,
): { add(cells: readonly Cell[]): void; readonly isEmpty: boolean } {
  const fit = fitted(columns, terminal);
  const line = (cells: readonly Cell[]): string =>
    fit
      .map(({ width, isNumeric, isCut }, i) => {
        const whole = visibleText(String(cells[i] ?? ''));
        const text = isCut ? cutTo(whole, width) : whole;
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
 * A plain table: no frame, a rule under the head, no colors, so that it reads and greps well
 * anywhere. Numbers are put to the right. Control characters of the cells are escaped.
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
