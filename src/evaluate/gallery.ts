import { readSample, type Sample } from '../datasets/dataset.ts';
import { FoveaError } from '../errors.ts';
import type { Image } from '../image/image.ts';
import { methods as registry } from '../methods/index.ts';
import { fitImage, fitMask } from '../model/input/preprocessing.ts';
import { pictureUri } from '../node/write-image.ts';
import { argmax } from '../tensor/tensor.ts';
import { drawOutline } from '../visualize/contour.ts';
import { overlay } from '../visualize/overlay.ts';
import type { ReportCell, ReportGallery } from '../visualize/report.ts';
import { readCached } from './cache.ts';
import type { Benchmark, MapRecord } from './records.ts';
import { formatScore } from './report.ts';
import { cacheFolder } from './run.ts';
import { disagreement } from './sketch.ts';
import type { ScoreStore } from './store.ts';

/** A sample, its maps, and how much those of methods that are no controls disagree. */
interface Candidate {
  readonly index: number;
  readonly maps: readonly MapRecord[];
  readonly disagreement: number;
}

/** The samples with maps, those whose maps differ most first. */
function candidates({ dataset, methods }: Benchmark, store: ScoreStore): Candidate[] {
  const all = Array.from({ length: dataset.length }, (_, index) => {
    const maps = methods.flatMap(({ method }) => store.map(dataset.idOf(index), method.name) ?? []);
    const judged = maps.filter(({ method }) => registry.get(method).family !== 'control');
    return { index, maps, disagreement: disagreement(judged.map(({ sketch }) => sketch)) };
  });
  return all
    .filter(({ maps }) => maps.length > 0)
    .sort((a, b) => b.disagreement - a.disagreement || a.index - b.index);
}

const dataUri = (picture: Image): Promise<string> => pictureUri(picture, 'webp', 82);

/** The picture as the model sees it, and the same with the mask's outline. */
function picturesOf(sample: Sample, { model }: Benchmark): { plain: Image; outlined: Image } {
  const plain = fitImage(sample.image, model.preprocessing);
  const outlined = sample.mask
    ? drawOutline(plain, fitMask(sample.mask, model.preprocessing), {
        colour: [255, 255, 255],
        thickness: 2,
      })
    : plain;
  return { plain, outlined };
}

/** The first two scores of a map, in short. */
function scoresText(
  { metrics }: Benchmark,
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
  benchmark: Benchmark,
  store: ScoreStore,
  record: MapRecord,
  plain: Image,
): Promise<ReportCell[]> {
  const cached = await readCached(cacheFolder(benchmark.folder), record.cache);
  if (!cached) return [];
  const { signed } = registry.get(record.method);
  const [height, width] = cached.map.shape;
  const top = argmax(cached.map.data);
  return [
    {
      source: await dataUri(overlay(plain, cached.map, { signed })),
      alt: `${record.method} map for ${record.target.label}`,
      title: record.method,
      detail: scoresText(benchmark, store, record),
      peak: { x: ((top % width) + 0.5) / width, y: (Math.floor(top / width) + 0.5) / height },
    },
  ];
}

async function rowOf(
  benchmark: Benchmark,
  store: ScoreStore,
  { index, maps, disagreement: differs }: Candidate,
): Promise<ReportGallery['rows']> {
  const sample = await readSample(benchmark.dataset, index);
  if (sample instanceof FoveaError) return [];
  const { plain, outlined } = picturesOf(sample, benchmark);
  const cells = (
    await Promise.all(maps.map((map) => mapCell(benchmark, store, map, plain)))
  ).flat();
  if (cells.length === 0) return [];
  const { label, probability } = maps[0].target;
  const explained = `${label.split(',')[0]}, ${(100 * probability).toFixed(1)}%`;
  const truth = sample.mask ? 'mask outlined' : 'picture';
  return [
    {
      title: sample.id,
      detail: `explained: ${explained}${sample.label ? ` · labelled: ${sample.label.name}` : ''} · disagreement ${differs.toFixed(2)}`,
      cells: [
        { source: await dataUri(outlined), alt: `the picture ${sample.id}`, title: truth },
        ...cells,
      ],
    },
  ];
}

/**
 * The maps of the `count` samples on which methods disagree most: 1 minus the mean correlation of
 * their maps on a 14×14 grid.
 */
export async function createGallery(
  benchmark: Benchmark,
  store: ScoreStore,
  count: number,
): Promise<ReportGallery> {
  const rows: ReportGallery['rows'][number][] = [];
  for (const candidate of candidates(benchmark, store).slice(0, count))
    rows.push(...(await rowOf(benchmark, store, candidate)));
  return { rows };
}
