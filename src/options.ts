import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as z from 'zod/mini';
import { FoveaError } from './errors.ts';

/** Options by name, of no known schema. */
export type AnyOptions = Readonly<Record<string, unknown>>;

/**
 * The options of a method, metric or data set: any Standard Schema of an object (zod, zod/mini,
 * valibot, ArkType, …). `Input` is what a caller may write, where everything with a default may be
 * left out; `Output` is complete. Only the shape of `~standard` is part of the contract, so that a
 * second copy of a schema library in a program does no harm.
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

/**
 * An option with its default and description, for a schema made with zod/mini:
 *
 *   N: option(z.int().check(z.minimum(2)), 4000, 'number of masks')
 */
export function option<Schema extends z.ZodMiniType>(
  schema: Schema,
  value: z.input<Schema>,
  description: string,
): z.ZodMiniDefault<Schema> {
  return z._default(schema.check(z.describe(description)), value as never);
}

/** One option, for help texts, forms and docs. */
export interface OptionDescription {
  readonly name: string;
  /** In words: `integer from 1 to 100000`, `"black" | "mean"`, … */
  readonly type: string;
  /** Undefined if the option has no default. */
  readonly default: unknown;
  readonly description: string;
}

interface JsonSchema {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  prefixItems?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  default?: unknown;
  description?: string;
  properties?: Record<string, JsonSchema>;
}

/** Bounds that a JSON Schema has for every integer: they say nothing. */
const LARGEST_INTEGER = Number.MAX_SAFE_INTEGER;

function typeInWords(schema: JsonSchema): string {
  if (schema.anyOf) return schema.anyOf.map(typeInWords).join(' | ');
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeInWords).join(', ')}]`;
  if (schema.type === 'array') return `list of ${typeInWords(schema.items ?? {})}`;
  const { minimum: low, maximum: high, exclusiveMinimum: above } = schema;
  const from = low === undefined || low === -LARGEST_INTEGER ? '' : `from ${low}`;
  const to = high === undefined || high === LARGEST_INTEGER ? '' : `to ${high}`;
  const type = schema.type === 'string' ? 'text' : (schema.type ?? 'any');
  return [type, above === undefined ? from : `above ${above}`, to].filter(Boolean).join(' ');
}

/** The standard's JSON Schema of a schema, for libraries that have it. */
interface StandardJsonSchema {
  readonly jsonSchema: { input(options: { target: string }): Record<string, unknown> };
}

function jsonSchemaOf(schema: OptionsSchema): JsonSchema {
  const standard = schema['~standard'] as Partial<StandardJsonSchema>;
  if (standard.jsonSchema) return standard.jsonSchema.input({ target: 'draft-2020-12' });
  if (!('_zod' in schema)) return {};
  const made = z.toJSONSchema(schema as z.core.$ZodType, {
    io: 'input',
    unrepresentable: 'any',
  });
  return made as JsonSchema;
}

/**
 * The options of a method, metric or data set, in the order of their declaration, read off the JSON
 * Schema of `options`; empty for a schema that offers none.
 */
export function describeOptions({ options }: Pick<HasOptions, 'options'>): OptionDescription[] {
  return Object.entries(jsonSchemaOf(options).properties ?? {}).map(([name, property]) => ({
    name,
    type: typeInWords(property),
    default: property.default,
    description: property.description ?? '',
  }));
}

/**
 * Whether an option may have a value, whatever the other options are. Reads only the complaints
 * that name the option, so that others may be missing.
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

/** Names of the options if the schema has a `shape`, as zod's objects do. */
function namesOf(schema: OptionsSchema): string[] | undefined {
  if (!('shape' in schema)) return undefined;
  return Object.keys(schema.shape as object);
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
    const has = known?.length ? `its options are ${known.join(', ')}` : 'it has no options';
    throw new FoveaError('usage', `${owner.name} has no option "${unknown}": ${has}`);
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
  const reason = wanted === undefined ? (issue?.message ?? 'not valid') : `expected ${wanted}`;
  throw new FoveaError(
    'usage',
    `${owner.name}.${name} = ${JSON.stringify(given[name])}: ${reason}`,
  );
}
