import { mostCalls } from '../../checks/sufficiency.ts';
import { explainFiles } from '../explain-files.ts';
import { checkLines } from '../map-checks.ts';
import { createOutput, formatCount, formatShare, terminalWidth } from '../output.ts';
import type { Result } from '../result-files.ts';
import { findItems, type Run, type RunFlags, type RunRequest, targetsOf, withRun } from '../run.ts';
import { type Cell, type Column, columnOf, numbersOf, rowPrinter, shortLabel } from '../table.ts';

/** Few labels are longer, and a wider column would leave no place for the others. */
const CLASS_WIDTH = 18;

/** The columns that tables of results begin with. */
export const pictureColumns = ({ items, model }: Run): [Column, Column, Column] => [
  columnOf(
    'picture',
    items.map(({ file }) => file),
    'start',
  ),
  columnOf('class', model.labels.map(shortLabel), 'end', CLASS_WIDTH),
  numbersOf('probability'),
];

function rowOf({ record }: Result): Cell[] {
  const { image, method, target, files, modelCalls, seconds, kept } = record;
  return [
    image,
    method,
    shortLabel(target.label),
    formatShare(target.probability),
    formatCount(modelCalls.forward),
    kept ? '–' : seconds.toFixed(1),
    files.png ?? files.npy ?? files.json ?? '',
  ];
}

/** A run that lists its results and does nothing else with them. Returns the exit code. */
export async function listResults(request: RunRequest): Promise<number> {
  const { output } = request;
  let isEmpty = true;
  return withRun(
    request,
    async (run) => {
      const methods = run.methods.map(({ method }) => method.name);
      const [picture, ...about] = pictureColumns(run);
      const columns = [
        picture,
        columnOf('method', methods),
        ...about,
        numbersOf('model calls'),
        numbersOf('seconds'),
        columnOf('written', [], 'start'),
      ];
      const rows = rowPrinter(columns, output.print);
      for await (const result of explainFiles(run)) {
        output.record(result.record);
        rows.add(rowOf(result));
        for (const line of checkLines(result.explanation, terminalWidth())) output.print(line);
        isEmpty = false;
      }
    },
    ({ model }) => {
      if (!isEmpty) output.print(`\nModel: ${model.name}`);
    },
  );
}

/** `fovea explain`. Returns the exit code. */
export async function explainCommand(
  inputs: readonly string[],
  flags: RunFlags,
  signal: AbortSignal,
): Promise<number> {
  const output = createOutput(flags);
  const find = () => findItems(inputs, targetsOf(flags), output);
  const methods = ['iassa'];
  const maps = (flags.methods ?? methods).length;
  const otherCalls = flags.check ? maps * mostCalls(flags.check) : 0;
  return listResults({ flags, output, signal, methods, find, otherCalls });
}
