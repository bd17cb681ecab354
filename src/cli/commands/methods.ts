import { methods } from '../../methods/index.ts';
import type { Method } from '../../methods/method.ts';
import { describeOptions } from '../../option-words.ts';
import { createOutput, terminalWidth, wrapText } from '../output.ts';

/** A method as `--json` prints it. */
function describe(method: Method) {
  const { name, title, family, needs, signed, cost, paper } = method;
  return { name, title, family, needs, signed, cost, paper, options: describeOptions(method) };
}

const needsOf = ({ needs }: Method): string => (needs.length === 0 ? 'nothing' : needs.join(', '));

function summary(method: Method, column: number): string {
  const indent = ' '.repeat(column);
  const facts = [
    `${method.family} · needs ${needsOf(method)}`,
    `model calls: ${method.cost}`,
    method.paper,
  ];
  const lines = facts.map((fact) => wrapText(fact, terminalWidth(), indent));
  return [`${method.name.padEnd(column)}${method.title}`, ...lines].join('\n');
}

function details(method: Method): string {
  const facts = [
    ['family', method.family],
    ['needs', needsOf(method)],
    [
      'map',
      method.signed
        ? 'signed: negative values are evidence against the class'
        : 'unsigned: the higher, the more salient',
    ],
    ['model calls', method.cost],
    ['paper', method.paper],
  ];
  const lines = facts.map(
    ([name, value]) =>
      `${name.padEnd(13)}${wrapText(value, terminalWidth(), ' '.repeat(13)).trimStart()}`,
  );
  const options = describeOptions(method).map((option) => {
    const preset =
      option.default === undefined ? '' : `, default ${JSON.stringify(option.default)}`;
    const head = wrapText(`${option.name}: ${option.type}${preset}`, terminalWidth(), '    ').slice(
      2,
    );
    return `${head}\n${wrapText(option.description, terminalWidth(), '      ')}`;
  });
  const table =
    options.length > 0
      ? `\nOptions, given as --set ${method.name}.NAME=VALUE:\n\n${options.join('\n')}`
      : '\nIt has no options.';
  return [`${method.name}: ${method.title}`, '', ...lines, table].join('\n');
}

/** `fovea methods [name]`: what there is, or one method with its options. Answers the exit code. */
export function methodsCommand(
  name: string | undefined,
  { json = false }: { json?: boolean },
): number {
  const chosen = name === undefined ? [...methods] : [methods.get(name)];
  if (json) {
    const described = chosen.map(describe);
    process.stdout.write(
      `${JSON.stringify(name === undefined ? described : described[0], null, 2)}\n`,
    );
    return 0;
  }
  const column = Math.max(...chosen.map((method) => method.name.length)) + 3;
  const text =
    name === undefined
      ? chosen.map((method) => summary(method, column)).join('\n\n')
      : details(chosen[0]);
  const hint = name === undefined ? '\n\nOptions of a method: fovea methods NAME' : '';
  createOutput({}).print(`${text}${hint}`);
  return 0;
}
