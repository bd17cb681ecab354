import { describeOptions } from '../option-words.ts';
import type { HasOptions } from '../options.ts';
import { terminalWidth, wrapText } from './output.ts';

/** A fact of a description: its name and its text. */
export type Fact = readonly [name: string, value: string];

/** Facts as two columns; long values are wrapped within the second one. */
export function factLines(facts: readonly Fact[], column?: number): string {
  const width = column ?? Math.max(...facts.map(([name]) => name.length)) + 2;
  return facts
    .map(([name, value]) => {
      const text = wrapText(value, terminalWidth(), ' '.repeat(width)).trimStart();
      return `${name.padEnd(width)}${text}`;
    })
    .join('\n');
}

/** The options of a method, metric or data set with their types, defaults and descriptions. */
export function optionLines(owner: HasOptions, form: string): string {
  const options = describeOptions(owner).map((option) => {
    const preset =
      option.default === undefined ? '' : `, default ${JSON.stringify(option.default)}`;
    const head = wrapText(`${option.name}: ${option.type}${preset}`, terminalWidth(), '    ');
    return `${head.slice(2)}\n${wrapText(option.description, terminalWidth(), '      ')}`;
  });
  return options.length > 0
    ? `Options, given as ${form}:\n\n${options.join('\n')}`
    : 'It lists no options.';
}

/** A list of named things: the name, a title, and facts below the title. */
export function listing(
  items: readonly {
    readonly name: string;
    readonly title: string;
    readonly facts: readonly string[];
  }[],
): string {
  const column = Math.max(...items.map(({ name }) => name.length)) + 3;
  const indent = ' '.repeat(column);
  return items
    .map(({ name, title, facts }) => {
      const lines = facts.map((fact) => wrapText(fact, terminalWidth(), indent));
      return [`${name.padEnd(column)}${title}`, ...lines].join('\n');
    })
    .join('\n\n');
}
