import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseSag, type Sag } from '../../methods/sag/schema.ts';
import { type SagStatistics, sagStatistics } from '../../methods/sag/statistics.ts';
import { sagSvg, svgToPng } from '../../node/sag-png.ts';
import { writeFileAtomic } from '../../node/write-file.ts';
import { sagToDot } from '../../visualize/sag-dot.ts';
import { smallestSet } from '../../visualize/sag-part.ts';
import { explainFiles } from '../explain-files.ts';
import { createOutput, formatCount, formatShare } from '../output.ts';
import type { Result, ResultRecord } from '../result-files.ts';
import { attempt, findItems, oneTargetOf, type Run, type RunFlags, withRun } from '../run.ts';
import { FORMATS } from '../shared-options.ts';
import { type Cell, columnOf, formatTable, numbersOf, rowPrinter, shortLabel } from '../table.ts';
import { pictureColumns } from './explain.ts';

const STATISTICS_FILE = 'sag-statistics.json';

/** Writes the drawing of a graph, and the graph for Graphviz, beside the map. */
async function saveGraph(
  { model }: Run,
  { record, prepared, explanation, stem }: Result,
  sag: Sag,
): Promise<Record<string, string>> {
  const files = { svg: `${stem}.svg`, graph: `${stem}.graph.png`, dot: `${stem}.dot` };
  // The .dot is written last, so if it exists, the other files exist too.
  const isComplete = access(files.dot).then(
    () => true,
    () => false,
  );
  if (record.kept && (await isComplete)) return files;
  const { region } = explanation.manifest.image;
  const svg = await sagSvg(sag, {
    input: prepared.input,
    preprocessing: model.preprocessing,
    aspect: region.width / region.height,
    title: basename(record.image),
  });
  await writeFileAtomic(files.svg, svg);
  await writeFileAtomic(files.graph, await svgToPng(svg));
  await writeFileAtomic(files.dot, sagToDot(sag));
  return files;
}

function statisticsTable(statistics: SagStatistics): string {
  const number = (value: number | null) => (value === null ? '–' : value.toFixed(2));
  const rows: Cell[][] = [
    ['pictures', String(statistics.pictures)],
    ...statistics.explainedWith.map((share, i) => [
      `explained with at most ${i + 1} ${i === 0 ? 'patch' : 'patches'}`,
      formatShare(share),
    ]),
    ['patches of the smallest explanation, mean', number(statistics.smallest)],
    ['explanations found, mean', number(statistics.explanations)],
    ['diverse explanations, mean', number(statistics.diverse)],
    ...statistics.diverseAtLeast.map((share, i) => [
      `at least ${i + 1} diverse ${i === 0 ? 'explanation' : 'explanations'}`,
      formatShare(share),
    ]),
    ['patches shared by two explanations, mean', number(statistics.overlap)],
  ];
  return formatTable(['over all pictures', ''], rows);
}

/** The columns after those of the picture. */
const SETS = [
  numbersOf('sets'),
  numbersOf('smallest'),
  columnOf('drawn', ['10 10 10']),
  numbersOf('calls', '100,000'.length),
  numbersOf('seconds'),
];

/** Printed below the table. */
const LEGEND = `sets: sets of patches found; each of them suffices alone.
smallest: number of patches of the smallest set.
drawn: number of patches of each set that is drawn. A smallest set comes first, and the
others differ from it and from each other as much as possible. The .json lists all sets.
calls: model calls.`;

/** How many patches each root has: `5 6 11`. */
const sizesDrawn = ({ roots, nodes }: Sag): string =>
  roots.map((id) => nodes.find((node) => node.id === id)?.patches.length ?? '?').join(' ');

function rowOf({ image, modelCalls, seconds, kept }: ResultRecord, sag: Sag): Cell[] {
  return [
    image,
    shortLabel(sag.target.label),
    formatShare(sag.probability),
    String(sag.explanations.length),
    String(sag.explanations[0]?.patches.length ?? '–'),
    sizesDrawn(sag),
    formatCount(modelCalls.forward),
    kept ? '–' : seconds.toFixed(1),
  ];
}

/** `fovea sag`. Returns the exit code. */
export async function sagCommand(
  inputs: readonly string[],
  flags: RunFlags,
  signal: AbortSignal,
): Promise<number> {
  const output = createOutput(flags);
  const targets = oneTargetOf(flags, 'a graph is of one class');
  const graphs = new Map<string, Sag>();
  const find = () => findItems(inputs, targets, output);
  return withRun(
    { flags, output, signal, methods: ['sag'], formats: FORMATS, find },
    async (run) => {
      const rows = rowPrinter([...pictureColumns(run), ...SETS], output.print);
      for await (const result of explainFiles(run)) {
        const { record, explanation } = result;
        await attempt(run, record.image, async () => {
          const sag = parseSag(explanation.manifest.extras.sag);
          const files = await saveGraph(run, result, sag);
          graphs.set(record.image, sag);
          const smallest = smallestSet(sag)?.patches ?? null;
          output.record({ ...record, files: { ...record.files, ...files }, smallest });
          rows.add(rowOf(record, sag));
        });
      }
    },
    async ({ model }) => {
      if (graphs.size === 0) return;
      const statistics = sagStatistics([...graphs.values()]);
      const formulas = Object.fromEntries([...graphs].map(([image, sag]) => [image, sag.formula]));
      const drawings = join(flags.out, 'NAME.sag.graph.png');
      output.print(`\n${LEGEND}\n\nDrawings: ${drawings}\nModel: ${model.name}`);
      if (graphs.size > 1) output.print(`\n${statisticsTable(statistics)}`);
      output.record({ statistics });
      const smallest = Object.fromEntries(
        [...graphs].map(([image, sag]) => [image, smallestSet(sag)?.patches ?? null]),
      );
      const text = JSON.stringify({ statistics, formulas, smallest }, null, 2);
      await writeFileAtomic(join(flags.out, STATISTICS_FILE), `${text}\n`);
    },
  );
}
