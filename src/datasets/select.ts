import { FoveaError } from '../errors.ts';
import { at } from '../tensor/at.ts';
import { createRandom } from '../tensor/random.ts';
import { createDataset, type Dataset } from './dataset.ts';

/** One part of several that share the work. */
export interface Shard {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/** Which samples of a data set are used. The parts are applied in this order. */
export interface Selection {
  /**
   * Draws `count` samples without replacement and keeps the order of the data set. The same seed
   * draws the same samples.
   */
  readonly sample?: { readonly count: number; readonly seed: number };
  /** The first samples. */
  readonly limit?: number;
  /** Every `count`-th sample, from `index` on. */
  readonly shard?: Shard;
}

/**
 * `count` numbers below `length`, drawn without replacement, in rising order.
 */
function draw(length: number, count: number, seed: number): number[] {
  const random = createRandom(seed).fork('sample');
  const numbers = Array.from({ length }, (_, i) => i);
  return random.sample(numbers, count).sort((a, b) => a - b);
}

function indicesOf({ length }: Dataset, { sample, limit, shard }: Selection): number[] {
  if (!Number.isFinite(length) && limit === undefined)
    throw new FoveaError(
      'usage',
      'the data set is endless: say how many samples to take, as in --limit 100',
    );
  if (!Number.isFinite(length) && sample)
    throw new FoveaError(
      'usage',
      'a seeded sample cannot be drawn from an endless data set: use --limit alone',
    );
  const some = sample
    ? draw(length, sample.count, sample.seed)
    : Array.from({ length: Math.min(length, limit ?? length) }, (_, i) => i);
  return some.slice(0, limit).filter((_, i) => !shard || i % shard.count === shard.index);
}

/**
 * Describes the selected samples, in the order in which the parts are applied; empty if all samples
 * are selected.
 */
function protocolOf({ length }: Dataset, { sample, limit = length, shard }: Selection): string[] {
  const drawn = Math.min(sample?.count ?? length, length);
  const of = Number.isFinite(length) ? ` of ${length}` : '';
  const steps = [
    ...(sample ? [`${drawn}${of} samples, drawn with seed ${sample.seed}`] : []),
    ...(limit < drawn
      ? [sample ? `of these the first ${limit}` : `the first ${limit}${of} samples`]
      : []),
  ];
  if (shard)
    steps.push(`${steps.length > 0 ? 'of these ' : ''}part ${shard.index + 1} of ${shard.count}`);
  return steps.length > 0 ? [`Pictures: ${steps.join('; ')}.`] : [];
}

/**
 * A part of a data set. Its protocol describes the part.
 * @throws FoveaError `usage` for an endless data set without a limit.
 */
export function selectSamples(dataset: Dataset, selection: Selection): Dataset {
  const indices = indicesOf(dataset, selection);
  const protocol = [...dataset.protocol, ...protocolOf(dataset, selection)];
  return createDataset({
    ...dataset,
    protocol,
    length: indices.length,
    idOf: (i) => dataset.idOf(at(indices, i)),
    read: (i) => dataset.read(at(indices, i)),
  });
}

type Environment = Readonly<Record<string, string | undefined>>;

const envNumber = (env: Environment, name: string): number | undefined => {
  const text = env[name];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
};

/**
 * The index of this job in its job array, from 0, from the variables of Kubernetes (indexed jobs)
 * or Slurm (job arrays). The ids of a Slurm array may begin at any number. But tasks that are run
 * again form a new array, so if the count is given, the ids must be the indices themselves.
 */
function shardFromEnvironment(count: number | undefined, env: Environment): Shard {
  const variable = ['JOB_COMPLETION_INDEX', 'SLURM_ARRAY_TASK_ID'].find(
    (name) => envNumber(env, name) !== undefined,
  );
  if (variable === undefined)
    throw new FoveaError(
      'usage',
      '--shard auto: neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set',
    );
  const total = count ?? envNumber(env, 'SLURM_ARRAY_TASK_COUNT');
  if (total === undefined)
    throw new FoveaError(
      'usage',
      '--shard auto: the number of shards is not known: write it, as in --shard auto/16',
    );
  const id = envNumber(env, variable) as number;
  const first =
    count === undefined && variable === 'SLURM_ARRAY_TASK_ID'
      ? (envNumber(env, 'SLURM_ARRAY_TASK_MIN') ?? 0)
      : 0;
  if (id >= first && id < first + total) return { index: id - first, count: total };
  const text = count === undefined ? 'auto' : `auto/${count}`;
  throw new FoveaError(
    'usage',
    `--shard ${text}: ${variable} is ${id}: expected a number from ${first} to ` +
      `${first + total - 1}; number the jobs from ${first}, or write another count, as in ` +
      '--shard auto/16',
  );
}

/**
 * Parses `3/16` (the third of sixteen parts), `auto/16` or `auto` (the part from the cluster's
 * environment).
 * @throws FoveaError `usage` for anything else.
 */
export function parseShard(text: string, env: Environment): Shard {
  const [, place, parts] = /^(auto|\d+)(?:\/(\d+))?$/.exec(text) ?? [];
  const count = parts === undefined ? undefined : Number(parts);
  if (place === undefined || (place !== 'auto' && count === undefined))
    throw new FoveaError('usage', `--shard ${text}: expected K/N, as in 3/16, or auto/N`);
  if (place === 'auto' && count !== 0) return shardFromEnvironment(count, env);
  const shard = { index: Number(place) - 1, count: Number(parts) };
  if (!(shard.index >= 0 && shard.index < shard.count))
    throw new FoveaError('usage', `--shard ${text}: there is no such part of ${shard.count}`);
  return shard;
}
