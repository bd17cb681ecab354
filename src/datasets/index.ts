import { FoveaError } from '../errors.ts';
import { didYouMean } from '../near-names.ts';
import { type AnyOptions, parseOptions } from '../options.ts';
import { coco } from './coco.ts';
import { type Dataset, type DatasetReader, datasetReaders } from './dataset.ts';
import { demoScenes } from './demo-scenes.ts';
import { imageFolder } from './image-folder.ts';
import { imagenetSegmentation } from './imagenet-segmentation.ts';
import { objects } from './objects.ts';
import { picsList } from './pics-list.ts';
import { voc } from './voc.ts';

datasetReaders.register(
  imageFolder,
  picsList,
  objects,
  coco,
  voc,
  imagenetSegmentation,
  demoScenes,
);

const formOf = ({ name, pathless }: DatasetReader): string => (pathless ? name : `${name}:PATH`);

/** The kind and the path of `coco:PATH` or `demo-scenes`. */
function parseSpec(spec: string): [reader: DatasetReader, path: string] {
  const [, kind = '', path = ''] = /^([^:]*):?(.*)$/s.exec(spec) ?? [];
  if (datasetReaders.has(kind)) return [datasetReaders.get(kind), path];
  const hint = didYouMean(kind, datasetReaders.names);
  const forms = [...datasetReaders].map(formOf).join(', ');
  throw new FoveaError('usage', `unknown data set "${spec}": ${hint}expected ${forms}`);
}

/**
 * Opens a data set: `openDataset('coco:PATH')` by the name of a registered reader, or
 * `openDataset({ reader: coco, path: PATH })` by the reader itself.
 * @throws FoveaError `usage` for an unknown kind, a path that is not such a data set, an unknown
 * option or a wrong value.
 */
export async function openDataset(
  spec: string | { readonly reader: DatasetReader; readonly path?: string },
  options: AnyOptions = {},
): Promise<Dataset> {
  const [reader, path] =
    typeof spec === 'string' ? parseSpec(spec) : [spec.reader, spec.path ?? ''];
  if (path === '' && !reader.pathless) {
    throw new FoveaError(
      'usage',
      `the data set ${reader.name} needs a path, as in ${formOf(reader)}: ${reader.path}`,
    );
  }
  const parsed = parseOptions(reader, options);
  const dataset = await reader.open(path, parsed);
  return {
    ...dataset,
    protocol: [...dataset.protocol, ...settingsText(parsed)],
    options: parsed,
  };
}

/** The options of a data set in words; an empty text if it has no options. */
function settingsText(options: Readonly<Record<string, unknown>>): string[] {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.length > 0
    ? [`Settings of the data set: ${given.map(([name, value]) => `${name}=${value}`).join(', ')}.`]
    : [];
}

export * from './dataset.ts';
export { parseShard, type Selection, type Shard, selectSamples } from './select.ts';
