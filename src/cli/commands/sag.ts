import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseSag, type Sag } from '../../methods/sag/schema.ts';
import { type SagStatistics, sagStatistics } from '../../methods/sag/statistics.ts';
import { sagSvg, svgToPng } from '../../node/sag-png.ts';
import { writeFileAtomic } from '../../node/write-file.ts';
import { sagToDot } from '../../visualize/sag-dot.ts';
import { explainFiles } from '../explain-files.ts';
import { createOutput, formatCount, formatShare } from '../output.ts';
import type { Result, ResultRecord } from '../result-files.ts';
import { attempt, findItems, oneTargetOf, type Run, type RunFlags, withRun } from '../run.ts';
import { FORMATS } from '../shared-options.ts';
import { type Cell, columnOf, formatTable, numbersOf, rowPrinter } from '../table.ts';
import { pictureColumns, shortLabel } from './explain.ts';

const STATISTICS_FILE = 'sag-statistics.json';

/** Writes the picture of a graph, and the graph for Graphviz, beside the map. */
async function saveGraph(
  { model }: Run,
  { record, prepared, explanation, stem }: Result,
  sag: Sag,
): Promise<Record<string, string>> {
  const files = { svg: `${stem}.svg`, graph: `${stem}.graph.png`, dot: `${stem}.dot` };
  // The .dot is written last: if it is there, the others are.
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

/** The columns after those of the picture: sets of patches in short, and where they are drawn. */
const SETS = [
  numbersOf('sets found'),
  numbersOf('smallest'),
  columnOf('shown', ['10 10 10']),
  numbersOf('model calls'),
  numbersOf('seconds'),
  columnOf('drawn', []),
];

/** Said below the table. */
const LEGEND = `Each set of patches found suffices alone. smallest: the patches of the smallest set found.
shown: the patches of each set that is drawn; they differ as much as possible, so the smallest may
not be among them. The .json lists all sets.`;

/** How many patches each root has: `5 6 11`. */
const sizesShown = ({ roots, nodes }: Sag): string =>
  roots.map((id) => nodes.find((node) => node.id === id)?.patches.length ?? '?').join(' ');

function rowOf(
  { image, modelCalls, seconds, kept }: ResultRecord,
  sag: Sag,
  graph: string | undefined,
): Cell[] {
  return [
    image,
    shortLabel(sag.target.label),
    formatShare(sag.probability),
    String(sag.explanations.length),
    String(sag.explanations[0]?.patches.length ?? '–'),
    sizesShown(sag),
    formatCount(modelCalls.forward),
    kept ? '–' : seconds.toFixed(1),
    graph ?? '',
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
          output.record({ ...record, files: { ...record.files, ...files } });
          rows.add(rowOf(record, sag, files.graph));
        });
      }
    },
    async ({ model }) => {
      if (graphs.size === 0) return;
      const statistics = sagStatistics([...graphs.values()]);
      const formulas = Object.fromEntries([...graphs].map(([image, sag]) => [image, sag.formula]));
      output.print(`\n${LEGEND}\nModel: ${model.name}`);
      if (graphs.size > 1) output.print(`\n${statisticsTable(statistics)}`);
      output.record({ statistics });
      const text = JSON.stringify({ statistics, formulas }, null, 2);
      await writeFileAtomic(join(flags.out, STATISTICS_FILE), `${text}\n`);
    },
  );
}
