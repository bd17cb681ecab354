import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as v from 'valibot';
import { FoveaError } from './errors.ts';
import { shownJson } from './json.ts';
import { didYouMean } from './near-names.ts';
import { describeOptions } from './option-words.ts';

export { integer, number } from './numbers.ts';

/** Options by name, of any schema. */
export type AnyOptions = Readonly<Record<string, unknown>>;

/**
 * The options of a method, metric or data set: any Standard Schema of an object (valibot, zod,
 * ArkType, …). `Input` is the type for callers, who may leave out options with a default; `Output`
 * is complete. Only the shape of `~standard` is part of the contract, so a program may contain a
 * second copy of a schema library.
 */
export type OptionsSchema<Input = AnyOptions, Output = AnyOptions> = StandardSchemaV1<
  Input,
  Output
>;

/** Anything that declares options: a method, a metric, a data set reader. */
export interface HasOptions<Input = AnyOptions, Output = AnyOptions> {
  readonly name: string;
  readonly options: OptionsSchema<Input, Output>;
}

/** The schema of an option that may be left out. Its value is then the default. */
export type OptionSchema<Schema extends v.GenericSchema> = v.OptionalSchema<
  v.SchemaWithPipe<readonly [Schema, v.DescriptionAction<v.InferOutput<Schema>, string>]>,
  v.InferInput<Schema>
>;

/**
 * An option with its default and description, for a schema made with valibot:
 *
 *   N: option(v.pipe(integer, v.minValue(2)), 4000, 'number of masks')
 */
// @__NO_SIDE_EFFECTS__
export function option<const Schema extends v.GenericSchema>(
  schema: Schema,
  value: v.InferInput<Schema>,
  description: string,
): OptionSchema<Schema> {
  return v.optional(v.pipe(schema, v.description(description)), value);
}

/**
 * Whether an option accepts a value, whatever the other options are. It looks only at problems of
 * this option, so other options may be missing.
 */
export function acceptsOption(
  { options }: Pick<HasOptions, 'options'>,
  name: string,
  value: unknown,
): boolean {
  const result = options['~standard'].validate({ [name]: value });
  if (result instanceof Promise) return true;
  return !result.issues?.some(({ path }) => keyOf(path?.[0] ?? name) === name);
}

/** Names of the options if the schema lists them, as the objects of valibot and zod do. */
function namesOf(schema: OptionsSchema): string[] | undefined {
  if ('entries' in schema) return Object.keys(schema.entries as object);
  if ('shape' in schema) return Object.keys(schema.shape as object);
  return undefined;
}

const keyOf = (part: PropertyKey | StandardSchemaV1.PathSegment): string =>
  String(typeof part === 'object' ? part.key : part);

/**
 * Checks options and completes them with their defaults.
 * @throws FoveaError `usage` for an unknown option or a value out of range; it names both.
 */
export function parseOptions<Output extends AnyOptions>(
  owner: HasOptions<AnyOptions, Output>,
  given: AnyOptions = {},
): Output {
  const known = namesOf(owner.options);
  const unknown = known && Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const hint = didYouMean(unknown, known ?? []);
    const has = known?.length ? `its options are ${known.join(', ')}` : 'it has no options';
    throw new FoveaError('usage', `${owner.name} has no option "${unknown}": ${hint}${has}`);
  }
  const result = owner.options['~standard'].validate(given);
  if (result instanceof Promise) {
    throw new FoveaError(
      'usage',
      `the options of ${owner.name} are checked asynchronously: use a schema without promises`,
    );
  }
  if (!result.issues) return result.value;
  const [issue] = result.issues;
  const name = keyOf(issue?.path?.[0] ?? '');
  const wanted = describeOptions(owner).find((each) => each.name === name)?.type;
  const isKnown = wanted !== undefined && wanted !== 'any';
  const reason = isKnown ? `expected ${wanted}` : (issue?.message ?? 'not valid');
  throw new FoveaError('usage', `${owner.name}.${name} = ${shownJson(given[name])}: ${reason}`);
}
