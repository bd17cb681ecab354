import { readSample, type Sample } from '../datasets/dataset.ts';
import { FoveaError } from '../errors.ts';
import type { Image } from '../image/image.ts';
import { fitImage, fitMask } from '../model/input/preprocessing.ts';
import { pictureUri } from '../node/write-image.ts';
import { argmax } from '../tensor/tensor.ts';
import { drawOutline } from '../visualize/contour.ts';
import { overlay } from '../visualize/overlay.ts';
import type { ReportCell, ReportGallery } from '../visualize/report.ts';
import { cacheFolder, readCached } from './cache.ts';
import { formatScore } from './ranking.ts';
import type { Evaluation, EvaluationMethod, MapRecord } from './records.ts';
import { disagreement } from './sketch.ts';
import type { ScoreStore } from './store.ts';

/** A map, and the method that made it. */
interface MadeMap {
  readonly record: MapRecord;
  readonly run: EvaluationMethod;
}

/** A sample, its maps, and how much the maps of methods that are not controls disagree. */
interface Candidate {
  readonly index: number;
  readonly maps: readonly MadeMap[];
  readonly disagreement: number;
}

/** The samples that have maps. The samples whose maps differ most come first. */
function candidates({ dataset, methods }: Evaluation, store: ScoreStore): Candidate[] {
  const all = Array.from({ length: dataset.length }, (_, index) => {
    const maps = methods.flatMap((run): MadeMap[] => {
      const record = store.map(dataset.idOf(index), run.name);
      return record ? [{ record, run }] : [];
    });
    const judged = maps.filter(({ run }) => run.method.family !== 'control');
    return { index, maps, disagreement: disagreement(judged.map(({ record }) => record.sketch)) };
  });
  return all
    .filter(({ maps }) => maps.length > 0)
    .sort((a, b) => b.disagreement - a.disagreement || a.index - b.index);
}

const dataUri = (picture: Image): Promise<string> => pictureUri(picture, 'webp', 82);

/** The picture at the model's input, and the same picture with the outline of the mask. */
function picturesOf(sample: Sample, { model }: Evaluation): { plain: Image; outlined: Image } {
  const plain = fitImage(sample.image, model.preprocessing);
  const outlined = sample.mask
    ? drawOutline(plain, fitMask(sample.mask, model.preprocessing), {
        colour: [255, 255, 255],
        thickness: 2,
      })
    : plain;
  return { plain, outlined };
}

/** The first two scores of a map, as one short text. */
function scoresText(
  { metrics }: Evaluation,
  store: ScoreStore,
  { item, method }: MapRecord,
): string {
  const of = (key: string) => store.score(item, method, key)?.value;
  const texts = metrics.flatMap(({ key }) => {
    const value = of(key);
    return value == null ? [] : [`${key} ${formatScore(value)}`];
  });
  return texts.slice(0, 2).join(', ');
}

async function mapCell(
  evaluation: Evaluation,
  store: ScoreStore,
  { record }: MadeMap,
  plain: Image,
): Promise<ReportCell[]> {
  const cached = await readCached(cacheFolder(evaluation.folder), record.cache);
  if (!cached) return [];
  const [height = 0, width = 0] = cached.map.shape;
  const top = argmax(cached.map.data);
  const whole = { left: 0, top: 0, width: plain.width, height: plain.height };
  return [
    {
      source: await dataUri(overlay(plain, cached, { region: whole })),
      alt: `${record.method} map for ${record.target.label}`,
      title: record.method,
      detail: scoresText(evaluation, store, record),
      peak: { x: ((top % width) + 0.5) / width, y: (Math.floor(top / width) + 0.5) / height },
    },
  ];
}

async function rowOf(
  evaluation: Evaluation,
  store: ScoreStore,
  { index, maps, disagreement: differs }: Candidate,
): Promise<ReportGallery['rows']> {
  const sample = await readSample(evaluation.dataset, index);
  if (sample instanceof FoveaError) return [];
  const { plain, outlined } = picturesOf(sample, evaluation);
  const cells = (
    await Promise.all(maps.map((map) => mapCell(evaluation, store, map, plain)))
  ).flat();
  const [first] = maps;
  if (cells.length === 0 || !first) return [];
  const { label, probability } = first.record.target;
  const explained = `${label.split(',')[0]}, ${(100 * probability).toFixed(1)}%`;
  const truth = sample.mask ? 'mask outlined' : 'picture';
  const details = [
    `explained: ${explained}`,
    ...(sample.label ? [`labelled: ${sample.label.name}`] : []),
    `disagreement ${differs.toFixed(2)}`,
  ];
  return [
    {
      title: sample.id,
      detail: details.join(' · '),
      cells: [
        { source: await dataUri(outlined), alt: `the picture ${sample.id}`, title: truth },
        ...cells,
      ],
    },
  ];
}

/**
 * The gallery of the `count` samples on which methods disagree most. Disagreement is 1 minus the
 * mean correlation of their maps on a 14×14 grid.
 */
export async function createGallery(
  evaluation: Evaluation,
  store: ScoreStore,
  count: number,
): Promise<ReportGallery> {
  const rows: ReportGallery['rows'][number][] = [];
  for (const candidate of candidates(evaluation, store).slice(0, count))
    rows.push(...(await rowOf(evaluation, store, candidate)));
  return { rows };
}
