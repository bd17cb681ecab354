import { findMasks } from '../../datasets/mask-files.ts';
import { FoveaError } from '../../errors.ts';
import { methods } from '../../methods/index.ts';
import {
  activatedPixels,
  imageLevel,
  type LevelSample,
  type Metric,
  metrics as metricRegistry,
  pixelLevel,
} from '../../metrics/index.ts';
import { explainFiles } from '../explain-files.ts';
import { expandInputs } from '../inputs.ts';
import { loadMask } from '../masks.ts';
import { createOutput, formatCount, formatShare } from '../output.ts';
import type { Result } from '../result-files.ts';
import { attempt, findItems, oneTargetOf, type Run, type RunFlags, withRun } from '../run.ts';
import { type Cell, formatTable, numbersOf, rowPrinter, shortLabel } from '../table.ts';
import { pictureColumns } from './explain.ts';

/** The options of `fovea iassa`. */
export interface IassaFlags extends RunFlags {
  /** More pictures, by the option name of the paper. */
  readonly queryPath?: readonly string[];
  /** The folder of the masks. */
  readonly masks?: string;
}

/** The measures of the paper's Table 1, in its order. */
const MEASURES = ['deletion', 'insertion', 'f1', 'iou', 'pointing-game'].map(metricRegistry.get);

type Scores = Readonly<Record<string, number | null>>;

/** The paper prints pixel-level values in units of 10⁻⁵. */
const PIXEL_UNIT = 1e-5;

async function measure(
  { model, batchSize, signal }: Run,
  { explanation, prepared }: Result,
  mask: Uint8Array,
): Promise<Scores> {
  const { map, target } = explanation;
  const { input } = prepared;
  const scores: Record<string, number | null> = {};
  for (const metric of MEASURES) {
    const context = { map, model, input, target, mask, batchSize, signal };
    scores[metric.name] = (await metric.score(context)).value;
  }
  return scores;
}

/** Scores of all measured pictures, for the averages. */
interface Measured {
  readonly scores: Scores;
  readonly activatedPixels: number;
}

function samplesOf(measured: readonly Measured[], metric: Metric): LevelSample[] {
  return measured.map((each) => ({
    value: each.scores[metric.name] ?? null,
    activatedPixels: each.activatedPixels,
  }));
}

const arrow = ({ direction }: Metric): string => (direction === 'higher' ? '↑' : '↓');
const fixed = (value: number | null, digits: number): string =>
  value === null ? '–' : value.toFixed(digits);

/** Table 1 of the paper for these pictures. */
function summaryTable(measured: readonly Measured[]): string {
  const rows = MEASURES.map((metric) => {
    const samples = samplesOf(measured, metric);
    const pixel = pixelLevel(samples).value;
    return [
      `${metric.title} ${arrow(metric)}`,
      fixed(imageLevel(samples).value, 4),
      fixed(pixel === null ? null : pixel / PIXEL_UNIT, 3),
    ];
  });
  return formatTable(['measure', 'image level', 'pixel level (×10⁻⁵)'], rows);
}

function summaryRecord(measured: readonly Measured[]): object {
  const averages = (level: typeof pixelLevel) =>
    Object.fromEntries(
      MEASURES.map((metric) => [metric.name, level(samplesOf(measured, metric)).value]),
    );
  return {
    summary: {
      pictures: measured.length,
      imageLevel: averages(imageLevel),
      pixelLevel: averages(pixelLevel),
    },
  };
}

function rowOf({ record }: Result, scores: Scores | undefined): Cell[] {
  const { image, target, modelCalls, seconds, kept } = record;
  return [
    image,
    shortLabel(target.label),
    formatShare(target.probability),
    formatCount(modelCalls.forward),
    kept ? '–' : seconds.toFixed(1),
    ...MEASURES.map((metric) => fixed(scores?.[metric.name] ?? null, 3)),
  ];
}

/** The masks of pictures, by picture; none if no folder is given. */
async function masksOf(
  inputs: readonly string[],
  { masks: folder }: IassaFlags,
  note: (text: string) => void,
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (folder === undefined) return new Map();
  const { files } = await expandInputs(inputs, methods.names);
  const masks = await findMasks(folder, files);
  if (files.length > masks.size)
    note(
      `${files.length - masks.size} of ${files.length} pictures have no mask in ${folder}: they ` +
        'are not measured',
    );
  return masks;
}

/** The text below the rows: the model and, if there are masks, the table of the paper. */
function summary(measured: readonly Measured[], model: string): string {
  const name = `\nModel: ${model}`;
  if (measured.length === 0) return name;
  const pictures = measured.length === 1 ? '1 picture' : `${measured.length} pictures`;
  return `${name}\n\n${summaryTable(measured)}\n\n${pictures} with a mask.`;
}

/** `fovea iassa`, the paper's own command. Returns the exit code. */
export async function iassaCommand(
  args: readonly string[],
  flags: IassaFlags,
  signal: AbortSignal,
): Promise<number> {
  const output = createOutput(flags);
  const inputs = [...args, ...(flags.queryPath ?? [])];
  if (inputs.length === 0)
    throw new FoveaError('usage', 'no picture is given: expected files, folders or patterns');
  const targets = oneTargetOf(flags, 'the measures are of one class');
  const masks = await masksOf(inputs, flags, output.note);
  let isEmpty = true;
  const measured: Measured[] = [];
  const find = () => findItems(inputs, targets, output);
  return withRun(
    { flags, output, signal, methods: ['iassa-2020'], find },
    async (run) => {
      const rows = rowPrinter(
        [
          ...pictureColumns(run),
          numbersOf('model calls'),
          numbersOf('seconds'),
          ...MEASURES.map((metric) => numbersOf(`${metric.name} ${arrow(metric)}`)),
        ],
        output.print,
      );
      for await (const result of explainFiles(run)) {
        const { record, prepared, explanation } = result;
        const paths = masks.get(record.image);
        let scores: Scores | undefined;
        await attempt(run, record.image, async () => {
          if (!paths) return;
          const mask = await loadMask(paths, prepared, run.model.preprocessing);
          scores = await measure(run, result, mask);
          measured.push({ scores, activatedPixels: activatedPixels(explanation.map.data) });
        });
        output.record(scores ? { ...record, scores } : record);
        rows.add(rowOf(result, scores));
        isEmpty = false;
      }
    },
    ({ model }) => {
      if (!isEmpty) output.print(summary(measured, model.name));
      if (measured.length > 0) output.record(summaryRecord(measured));
    },
  );
}
