import type { Node } from './graph.ts';

/** The words of a text, separated by spaces and line breaks. */
export type Words<Text extends string> = Text extends `${infer Line}\n${infer Lines}`
  ? Words<Line> | Words<Lines>
  : Text extends `${infer Word} ${infer Rest}`
    ? Words<Word> | Words<Rest>
    : Text extends ''
      ? never
      : Text;

/** The name of an operator in tables and messages, for example `Conv` or `com.microsoft:Gelu`. */
export function operatorKey({ domain, opType }: Pick<Node, 'domain' | 'opType'>): string {
  return domain === '' ? opType : `${domain}:${opType}`;
}

/** The names in a text, separated by spaces and line breaks. */
export const namesIn = (text: string): string[] => text.split(/\s+/).filter((name) => name !== '');

/**
 * A table with the same entry for several operators. Their names are separated by spaces and line
 * breaks.
 */
export function each<Names extends string, Entry>(
  names: Names,
  entry: Entry,
): Readonly<Record<Words<Names>, Entry>> {
  const entries = namesIn(names).map((name) => [name, entry]);
  return Object.fromEntries(entries) as Readonly<Record<Words<Names>, Entry>>;
}
