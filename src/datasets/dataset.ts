import { FoveaError } from '../errors.ts';
import type { Image } from '../image/image.ts';
import type { Mask } from '../image/mask.ts';
import type { AnyOptions, OptionsSchema } from '../options.ts';
import { createRegistry } from '../registry.ts';
import { at } from '../tensor/at.ts';

/** A rectangle in pixels of the picture; fractions allowed. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * What a picture is of: a name, and the classes of the model that count as it where the data set
 * knows them.
 */
export interface ClassLabel {
  readonly name: string;
  /**
   * Class indices; a COCO "dog" is any of ImageNet's breeds. Without them the name has to be a
   * label of the model.
   */
  readonly indices?: readonly number[];
}

/** A picture with its truth, at the picture's own size. */
export interface Sample {
  /** Names the sample within its data set; fit for a file name. */
  readonly id: string;
  readonly image: Image;
  readonly label?: ClassLabel;
  /** The object's pixels. */
  readonly mask?: Mask;
  readonly boxes?: readonly Box[];
  /** Pixels that count neither as object nor as background. */
  readonly void?: Mask;
}

/** The parts of the truth that samples of a data set have. */
export type Truth = 'label' | 'mask' | 'boxes' | 'void';

/** An indexed set of samples. Iterating it skips samples that cannot be read. */
export interface Dataset extends AsyncIterable<Sample> {
  /** What it is and where it comes from, as the command line names it. */
  readonly name: string;
  /** Number of samples; Infinity for those that are made as they are asked for. */
  readonly length: number;
  /** What samples have; single ones may lack it. */
  readonly provides: readonly Truth[];
  /**
   * The classes that label indices count, where they are those of ImageNet (ILSVRC 2012, 0 …
   * 999).
   */
  readonly classes?: 'imagenet';
  /** How the truth was read, one sentence each: what a report has to say. */
  readonly protocol: readonly string[];
  /** The reader's options, all of them; `openDataset` fills them in. */
  readonly options?: Readonly<Record<string, unknown>>;
  /**
   * SHA-256 of the file with ids, labels or masks, if there is one: scores of another
   * are of other samples.
   */
  readonly index?: string;
  /** What is wrong with its index, one sentence each: entries that are left out. */
  readonly problems: readonly string[];
  /** The id of sample `index`, without reading it. */
  idOf(index: number): string;
  /**
   * Reads sample `index`.
   * @throws FoveaError `image` if its picture or mask cannot be read.
   */
  read(index: number): Promise<Sample>;
}

/** Scores are kept under the ids, so no two samples may share one: the second `cat` is `cat.2`. */
function uniqueIds({ length, idOf }: Pick<Dataset, 'length' | 'idOf'>): string[] {
  const taken = new Set<string>();
  const lastNumbers = new Map<string, number>();
  return Array.from({ length }, (_, index) => {
    const id = idOf(index);
    let number = lastNumbers.get(id) ?? 1;
    let free = number === 1 ? id : `${id}.${number}`;
    while (taken.has(free)) free = `${id}.${++number}`;
    lastNumbers.set(id, number);
    taken.add(free);
    return free;
  });
}

/** Adds the iterator to the facts of a reader, and numbers samples of the same id. */
export function createDataset(parts: Omit<Dataset, typeof Symbol.asyncIterator>): Dataset {
  const ids = Number.isFinite(parts.length) ? uniqueIds(parts) : undefined;
  const read = async (index: number): Promise<Sample> => {
    const sample = await parts.read(index);
    return ids ? { ...sample, id: at(ids, index) } : sample;
  };
  return {
    ...parts,
    ...(ids && { idOf: (index: number) => at(ids, index) }),
    read,
    async *[Symbol.asyncIterator]() {
      for (let index = 0; index < parts.length; index++) {
        const sample = await readSample({ read }, index);
        if (!(sample instanceof FoveaError)) yield sample;
      }
    },
  };
}

/**
 * Sample `index`, or the error of one whose picture or mask is damaged; any other error is thrown.
 */
export async function readSample(
  dataset: Pick<Dataset, 'read'>,
  index: number,
): Promise<Sample | FoveaError> {
  try {
    return await dataset.read(index);
  } catch (error) {
    if (error instanceof FoveaError && error.code === 'image') return error;
    throw error;
  }
}

/** A kind of data set: one object that the library, the command line and the docs read. */
export interface DatasetReader<Input = AnyOptions, Output = AnyOptions> {
  readonly name: string;
  readonly title: string;
  /** What the path has to be. */
  readonly path: string;
  /** Whether there is nothing to read, so that no path is needed. */
  readonly pathless?: boolean;
  readonly options: OptionsSchema<Input, Output>;
  /** @throws FoveaError `usage` if the path is not such a data set. */
  open(path: string, options: Output): Promise<Dataset>;
}

/** Declares a reader: its options are typed by their schema. */
export function defineReader<Input extends AnyOptions, Output>(
  reader: DatasetReader<Input, Output>,
): DatasetReader<Input, Output> {
  return reader;
}

/**
 * The data set readers that are registered, by name. Importing `fovea/datasets` registers all of
 * Fovea's.
 */
export const datasetReaders = createRegistry<DatasetReader>('data set');
