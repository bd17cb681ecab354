import { FoveaError } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { coco } from './coco.ts';
import type { Dataset, DatasetReader } from './dataset.ts';
import { demoScenes } from './demo-scenes.ts';
import { imageFolder } from './image-folder.ts';
import { imagenetSegmentation } from './imagenet-segmentation.ts';
import { objects } from './objects.ts';
import { picsList } from './pics-list.ts';
import { voc } from './voc.ts';

/**
 * Every kind of data set there is. Adding one: a file, a line here, a test, a part of
 * docs/datasets.md.
 */
const all = [
  imageFolder,
  picsList,
  objects,
  coco,
  voc,
  imagenetSegmentation,
  demoScenes,
] as unknown as readonly DatasetReader[];

/** The kinds of data sets by name, in the order they are listed to users. */
export const datasetReaders: ReadonlyMap<string, DatasetReader> = new Map(
  all.map((reader) => [reader.name, reader]),
);

const formOf = ({ name, pathless }: DatasetReader): string => (pathless ? name : `${name}:PATH`);

/**
 * Opens a data set by its kind and path: `coco:PATH`, `demo-scenes`.
 * @throws FoveaError `usage` for an unknown kind, a path that is no such data set, an unknown
 * option or a wrong value.
 */
export async function openDataset(
  spec: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<Dataset> {
  const [, kind, path = ''] = /^([^:]*):?(.*)$/s.exec(spec) ?? [];
  const reader = datasetReaders.get(kind);
  if (!reader)
    throw new FoveaError(
      'usage',
      `unknown data set "${spec}": expected ${all.map(formOf).join(', ')}`,
    );
  if (path === '' && !reader.pathless)
    throw new FoveaError(
      'usage',
      `the data set ${kind} needs a path, as in ${formOf(reader)}: ${reader.path}`,
    );
  const parsed = parseOptions(reader, options);
  const dataset = await reader.open(path, parsed);
  return { ...dataset, protocol: [...dataset.protocol, ...settingsText(parsed)], options: parsed };
}

/** The options of a data set in words; none where it has none. */
function settingsText(options: Readonly<Record<string, unknown>>): string[] {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.length > 0
    ? [`Settings of the data set: ${given.map(([name, value]) => `${name}=${value}`).join(', ')}.`]
    : [];
}

export * from './dataset.ts';
export { parseShard, type Selection, type Shard, selectSamples } from './select.ts';
