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
 * The label of a picture: a name and, if the data set has them, the classes of the model that count
 * as it.
 */
export interface ClassLabel {
  readonly name: string;
  /**
   * Class indices; a COCO "dog" is any of ImageNet's breeds. If absent, the name must be a label of
   * the model.
   */
  readonly indices?: readonly number[];
}

/** A picture with its truth, at the picture's own size. */
export interface Sample {
  /** Unique within the data set; valid as a file name. */
  readonly id: string;
  readonly image: Image;
  readonly label?: ClassLabel;
  /** The object's pixels. */
  readonly mask?: Mask;
  readonly boxes?: readonly Box[];
  /** Pixels that count neither as object nor as background. */
  readonly void?: Mask;
}

/** The kinds of truth that samples of a data set have. */
export type Truth = 'label' | 'mask' | 'boxes' | 'void';

/** An indexed set of samples. Iterating it skips samples that cannot be read. */
export interface Dataset extends AsyncIterable<Sample> {
  /** Kind and path, as on the command line. */
  readonly name: string;
  /** Number of samples; Infinity if samples are generated on demand. */
  readonly length: number;
  /** The truth that samples have; single samples may lack it. */
  readonly provides: readonly Truth[];
  /** `imagenet` if label indices are classes of ImageNet (ILSVRC 2012, 0 … 999). */
  readonly classes?: 'imagenet';
  /** How the truth was read, one sentence per entry, for the report. */
  readonly protocol: readonly string[];
  /** All options of the reader; `openDataset` fills them in. */
  readonly options?: Readonly<Record<string, unknown>>;
  /**
   * SHA-256 of the file with ids, labels or masks, if there is one: scores of another
   * are of other samples.
   */
  readonly index?: string;
  /** Entries of the index that are left out, with the reason, one sentence per entry. */
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

/** Sample `index`, or the error if its picture or mask is damaged. Throws any other error. */
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

/** A kind of data set. The library, the command line and the docs use this one object. */
export interface DatasetReader<Input = AnyOptions, Output = AnyOptions> {
  readonly name: string;
  readonly title: string;
  /** A description of the path. */
  readonly path: string;
  /** True if the reader needs no path because it reads nothing. */
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
 * The registered data set readers, by name. Importing `fovea/datasets` registers all of Fovea's.
 */
export const datasetReaders = createRegistry<DatasetReader>('data set');
