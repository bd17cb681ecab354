import { findMasks } from '../../datasets/mask-files.ts';
import { methods } from '../../methods/index.ts';
import {
  activatedPixels,
  imageLevel,
  type LevelSample,
  type Metric,
  metrics as metricRegistry,
  pixelLevel,
} from '../../metrics/index.ts';
import { expandInputs } from '../inputs.ts';
import { loadMask } from '../masks.ts';
import { requestMethods } from '../options.ts';
import { type Cell, createOutput, formatCount, formatShare, formatTable } from '../output.ts';
import type { LoadedModel } from '../session.ts';
import {
  type Finished,
  itemsOf,
  type RunFlags,
  type RunRequest,
  runExplanations,
} from './explain.ts';

/** The options of `fovea iassa`. */
export interface IassaFlags extends RunFlags {
  readonly queryPath: readonly string[];
  readonly savePath: string;
  readonly gtPath?: string;
  readonly target: string;
}

/** The measures of the paper's Table 1, in its order. */
const MEASURES = ['deletion', 'insertion', 'f1', 'iou', 'pointing-game'].map(metricRegistry.get);

type Scores = Readonly<Record<string, number | null>>;

/** The paper prints pixel-level values in units of 10⁻⁵. */
const PIXEL_UNIT = 1e-5;

async function measure(
  { explanation, prepared }: Finished,
  { model }: LoadedModel,
  mask: Uint8Array,
  flags: IassaFlags,
  signal: AbortSignal,
): Promise<Scores> {
  const { map, target } = explanation;
  const scores: Record<string, number | null> = {};
  for (const metric of MEASURES) {
    const { value } = await metric.score({
      map,
      model,
      input: prepared.input,
      target,
      mask,
      batchSize: flags.batchSize,
      signal,
    });
    scores[metric.name] = value;
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
    value: each.scores[metric.name],
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

function rowOf({ record }: Finished, scores: Scores | undefined): Cell[] {
  const facts = [
    record.image,
    record.target.label,
    formatShare(record.target.probability),
    formatCount(record.modelCalls.forward),
    record.seconds.toFixed(1),
  ];
  return [...facts, ...MEASURES.map((metric) => fixed(scores?.[metric.name] ?? null, 3))];
}

/** `fovea iassa`, the paper's own command. Answers the exit code. */
export async function iassaCommand(flags: IassaFlags, signal: AbortSignal): Promise<number> {
  const output = createOutput(flags);
  const requested = requestMethods(['iassa'], flags.set);
  const { files } = await expandInputs(flags.queryPath, methods.names);
  const masks =
    flags.gtPath === undefined ? new Map<string, string[]>() : await findMasks(flags.gtPath, files);
  if (flags.gtPath !== undefined && files.length > masks.size)
    output.note(
      `${files.length - masks.size} of ${files.length} pictures have no mask in ${flags.gtPath}: they are not measured`,
    );
  const rows: Cell[][] = [];
  const measured: Measured[] = [];
  const request: RunRequest = {
    items: () => itemsOf(flags.queryPath, flags.target),
    flags,
    output,
    signal,
    methods: requested,
    folder: flags.savePath,
    onResult: async (result, loaded) => {
      const paths = masks.get(result.record.image);
      let scores: Scores | undefined;
      try {
        if (paths) {
          const mask = await loadMask(paths, result.prepared, loaded.model.preprocessing);
          scores = await measure(result, loaded, mask, flags, signal);
          measured.push({ scores, activatedPixels: activatedPixels(result.explanation.map.data) });
        }
      } finally {
        output.record(scores ? { ...result.record, scores } : result.record);
        rows.push(rowOf(result, scores));
      }
    },
  };
  return runExplanations(request, () => {
    const names = MEASURES.map((metric) => `${metric.name} ${arrow(metric)}`);
    if (rows.length > 0)
      output.print(
        formatTable(['picture', 'class', 'probability', 'model calls', 'seconds', ...names], rows),
      );
    if (measured.length === 0) return;
    output.print(
      `\n${summaryTable(measured)}\n\n${measured.length === 1 ? '1 picture' : `${measured.length} pictures`} with a mask.`,
    );
    output.record(summaryRecord(measured));
  });
}
