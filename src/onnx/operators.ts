import type { Node } from './graph.ts';

/** The words of a text, which spaces and line breaks separate. */
export type Words<Text extends string> = Text extends `${infer Line}\n${infer Lines}`
  ? Words<Line> | Words<Lines>
  : Text extends `${infer Word} ${infer Rest}`
    ? Words<Word> | Words<Rest>
    : Text extends ''
      ? never
      : Text;

/** The name of an operator in tables and messages: `Conv`, `com.microsoft:Gelu`. */
export function operatorKey({ domain, opType }: Pick<Node, 'domain' | 'opType'>): string {
  return domain === '' ? opType : `${domain}:${opType}`;
}

/** The names in a text of them. */
export const namesIn = (text: string): string[] => text.split(/\s+/).filter((name) => name !== '');

/** A table with the same entry for several operators; spaces separate their names. */
export function each<Names extends string, Entry>(
  names: Names,
  entry: Entry,
): Readonly<Record<Words<Names>, Entry>> {
  const entries = namesIn(names).map((name) => [name, entry]);
  return Object.fromEntries(entries) as Readonly<Record<Words<Names>, Entry>>;
}
