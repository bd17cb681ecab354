import { explainFiles } from '../explain-files.ts';
import { type Cell, createOutput, formatCount, formatShare, formatTable } from '../output.ts';
import type { Result } from '../result-files.ts';
import { findItems, type RunFlags, type RunRequest, targetsOf, withRun } from '../run.ts';

const COLUMNS = ['picture', 'method', 'class', 'probability', 'model calls', 'seconds', 'written'];

/** The first of a label's synonyms: `tench` of `tench, Tinca tinca`. */
export const shortLabel = (label: string): string => label.split(',')[0] ?? label;

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
  const rows: Cell[][] = [];
  return withRun(
    request,
    async (run) => {
      for await (const result of explainFiles(run)) {
        output.record(result.record);
        rows.push(rowOf(result));
      }
    },
    ({ model }) => {
      if (rows.length > 0) output.print(`${formatTable(COLUMNS, rows)}\n\nModel: ${model.name}`);
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
  return listResults({ flags, output, signal, methods: ['iassa'], find });
}
