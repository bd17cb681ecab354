import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { FoveaError } from '../../errors.ts';
import { parseSag, type Sag } from '../../methods/sag/schema.ts';
import { type SagStatistics, sagStatistics } from '../../methods/sag/statistics.ts';
import { inputRegion } from '../../model/input/preprocessing.ts';
import { sagSvg, svgToPng } from '../../node/sag-png.ts';
import { writeFileAtomic } from '../../node/write-file.ts';
import { parseOptions } from '../../options.ts';
import { VERSION } from '../../version.ts';
import { sagToDot } from '../../visualize/sag-dot.ts';
import { FORMATS, requestMethods } from '../options.ts';
import { type Cell, createOutput, formatCount, formatShare, formatTable } from '../output.ts';
import type { LoadedModel } from '../session.ts';
import {
  type Finished,
  itemsOf,
  type RunFlags,
  type RunRequest,
  runExplanations,
} from './explain.ts';

/** The options of `fovea sag`. */
export interface SagFlags extends RunFlags {
  readonly target: string;
  readonly out: string;
  /** Whether pictures that an earlier run finished are done again. */
  readonly again?: boolean;
}

/** Says what a folder's graphs are of, so that a later run knows whether it can go on with them. */
const RUN_FILE = 'sag-run.json';
const STATISTICS_FILE = 'sag-statistics.json';

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The graph of a picture that an earlier run finished, unless the picture has changed since. */
async function finishedGraph(file: string, stem: string): Promise<Sag | undefined> {
  const manifest = (await readJson(`${stem}.sag.json`)) as
    | { extras?: { sag?: unknown } }
    | undefined;
  if (!manifest) return undefined;
  try {
    const [picture, dot] = await Promise.all([stat(file), stat(`${stem}.sag.dot`)]); // the last file that is written
    return picture.mtimeMs <= dot.mtimeMs ? parseSag(manifest.extras?.sag) : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the picture of a graph and the graph for Graphviz beside the map. */
async function saveGraph(
  { record, prepared }: Finished,
  sag: Sag,
  { model }: LoadedModel,
): Promise<Record<string, string>> {
  const stem = (record.files.json as string).replace(/\.sag\.json$/, '');
  const region =
    prepared.image && inputRegion(prepared.width, prepared.height, model.preprocessing);
  const svg = await sagSvg(sag, {
    input: prepared.input,
    preprocessing: model.preprocessing,
    aspect: region ? region.width / region.height : 1,
    title: basename(record.image),
  });
  const files = { svg: `${stem}.sag.svg`, graph: `${stem}.sag.graph.png`, dot: `${stem}.sag.dot` };
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

function rowOf(image: string, sag: Sag, calls: string, seconds: string): Cell[] {
  const smallest = sag.explanations[0]?.patches.length;
  return [
    image,
    sag.target.label,
    formatShare(sag.probability),
    String(sag.explanations.length),
    smallest === undefined ? '–' : String(smallest),
    calls,
    seconds,
    sag.formula,
  ];
}

/** The run's graphs so far, by picture. */
interface Graphs {
  readonly graphs: Map<string, Sag>;
  readonly rows: Cell[][];
}

/**
 * Whether an earlier run of the same request finished a picture; its graph counts in the statistics
 * then.
 */
function doneBefore(
  { out: folder, again }: SagFlags,
  request: object,
  { graphs, rows }: Graphs,
): RunRequest['isDone'] {
  let same: Promise<boolean> | undefined;
  const compare = async ({ model }: LoadedModel) => {
    const run = `${JSON.stringify({ ...request, model: model.fingerprint, preprocessing: model.preprocessing, fovea: VERSION }, null, 2)}\n`;
    const before = await readFile(join(folder, RUN_FILE), 'utf8').catch(() => '');
    if (before !== run) await writeFileAtomic(join(folder, RUN_FILE), run);
    return before === run && !again;
  };
  return async (file, name, loaded) => {
    same ??= compare(loaded);
    const sag = (await same) ? await finishedGraph(file, join(folder, name)) : undefined;
    if (!sag) return false;
    graphs.set(file, sag);
    rows.push(rowOf(file, sag, '–', '–'));
    return true;
  };
}

/** `fovea sag`. Answers the exit code. */
export async function sagCommand(
  inputs: readonly string[],
  flags: SagFlags,
  signal: AbortSignal,
): Promise<number> {
  if (/^top:?\d+$/.test(flags.target) && !/^top:?1$/.test(flags.target)) {
    throw new FoveaError(
      'usage',
      `--target ${flags.target}: a graph is of one class: expected top1, a class index or a label`,
    );
  }
  const output = createOutput(flags);
  const methods = requestMethods(['sag'], flags.set);
  const all: Graphs = { graphs: new Map(), rows: [] };
  const { graphs, rows } = all;
  const options = parseOptions(methods[0].method, methods[0].options);
  const run: RunRequest = {
    items: () => itemsOf(inputs, flags.target),
    flags: { ...flags, format: FORMATS },
    output,
    signal,
    methods,
    folder: flags.out,
    isDone: doneBefore(flags, { options, target: flags.target, seed: flags.seed }, all),
    onResult: async (result, loaded) => {
      const { record, explanation } = result;
      const sag = parseSag(explanation.manifest.extras.sag);
      const files = await saveGraph(result, sag, loaded);
      graphs.set(record.image, sag);
      output.record({ ...record, files: { ...record.files, ...files } });
      rows.push(
        rowOf(record.image, sag, formatCount(record.modelCalls.forward), record.seconds.toFixed(1)),
      );
    },
  };
  return runExplanations(run, async () => {
    if (graphs.size === 0) return;
    const statistics = sagStatistics([...graphs.values()]);
    const formulas = Object.fromEntries(
      [...graphs].map(([image, { formula }]) => [image, formula]),
    );
    output.print(
      formatTable(
        [
          'picture',
          'class',
          'probability',
          'found',
          'smallest',
          'model calls',
          'seconds',
          'any of these suffices',
        ],
        rows,
      ),
    );
    if (graphs.size > 1) output.print(`\n${statisticsTable(statistics)}`);
    output.record({ statistics });
    await writeFileAtomic(
      join(flags.out, STATISTICS_FILE),
      `${JSON.stringify({ statistics, formulas }, null, 2)}\n`,
    );
  });
}
