import { FoveaError } from '../../errors.ts';
import { methods } from '../../methods/index.ts';
import type { Method } from '../../methods/method.ts';
import { describeOptions } from '../../option-words.ts';
import { type Fact, factLines, listing, optionLines } from '../describe.ts';
import { checkMethods, type MethodVerdict } from '../method-check.ts';
import { createOutput, type Output } from '../output.ts';
import { type ModelFlags, openModel } from '../session.ts';
import { formatTable } from '../table.ts';

/** The options of `fovea methods`. */
export interface MethodsFlags extends ModelFlags {
  readonly json?: boolean;
}

/** A method as `--json` prints it. */
function describe(method: Method) {
  const { name, title, family, needs, uses = [], signed, cost, paper } = method;
  const options = describeOptions(method);
  return { name, title, family, needs, uses, signed, cost, paper, options };
}

const listed = (needs: readonly string[]): string =>
  needs.length === 0 ? 'nothing' : needs.join(', ');

function details(method: Method): string {
  const { name, title, family, needs, uses = [], signed, cost, paper } = method;
  const facts: Fact[] = [
    ['family', family],
    ['needs', listed(needs)],
    ...(uses.length > 0 ? [['uses', `${listed(uses)}, if the model has it`] as const] : []),
    [
      'map',
      signed
        ? 'signed: negative values are evidence against the class'
        : 'unsigned: the higher, the more salient',
    ],
    ['model calls', cost],
    ['paper', paper],
  ];
  const options = optionLines(method, `--set ${name}.NAME=VALUE`);
  return `${name}: ${title}\n\n${factLines(facts)}\n\n${options}`;
}

function verdictTable(verdicts: readonly MethodVerdict[], model: string): string {
  const rows = verdicts.map(({ method: { name, needs, cost }, reason }) => [
    name,
    reason === undefined ? 'yes' : 'no',
    listed(needs),
    reason === undefined ? cost : '–',
  ]);
  const refused = verdicts.flatMap(({ method, reason }): Fact[] =>
    reason === undefined ? [] : [[method.name, reason]],
  );
  const head = `${verdicts.length - refused.length} of ${verdicts.length} methods run on ${model}.`;
  const table = formatTable(['method', 'runs', 'needs', 'model calls'], rows);
  const why = refused.length > 0 ? `\n\nWhy the others do not:\n\n${factLines(refused)}` : '';
  return `${head}\n\n${table}${why}`;
}

/** Which of the methods run on a model, and why the others do not. Returns the exit code. */
async function checkOn(
  flags: MethodsFlags,
  chosen: readonly Method[],
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const { model } = await openModel(flags, output, signal);
  const verdicts: MethodVerdict[] = [];
  try {
    for await (const verdict of checkMethods(model, chosen, signal)) {
      verdicts.push(verdict);
      output.progress.update(verdicts.length / chosen.length, verdict.method.name);
    }
  } finally {
    output.progress.stop();
    await model.dispose();
  }
  output.print(verdictTable(verdicts, model.name));
  output.document({
    model: model.name,
    methods: verdicts.map(({ method: { name, needs, cost }, reason }) => ({
      name,
      runs: reason === undefined,
      needs,
      ...(reason === undefined ? { cost } : { reason }),
    })),
  });
  return 0;
}

/**
 * `fovea methods [name]`: lists all methods, one with its options, or those that run on a model.
 */
export async function methodsCommand(
  [name]: readonly string[],
  flags: MethodsFlags,
  signal: AbortSignal,
): Promise<number> {
  const output = createOutput(flags);
  const chosen = name === undefined ? [...methods] : [methods.get(name)];
  if (flags.model !== undefined) return checkOn(flags, chosen, output, signal);
  if (flags.labels !== undefined || flags.preprocess !== undefined)
    throw new FoveaError('usage', '--labels and --preprocess need a model: give --model too');
  const [first] = chosen;
  if (name !== undefined && first) {
    output.document(describe(first));
    output.print(details(first));
    return 0;
  }
  output.document(chosen.map(describe));
  const items = chosen.map((method) => ({
    ...method,
    facts: [
      `${method.family} · needs ${listed(method.needs)}`,
      `model calls: ${method.cost}`,
      method.paper,
    ],
  }));
  output.print(`${listing(items)}\n\nOptions of a method: fovea methods NAME`);
  output.print('Which run on a model: fovea methods --model MODEL');
  return 0;
}
