import type { HasOptions } from './options.ts';

/** One option, for help texts, forms and docs. */
export interface OptionDescription {
  readonly name: string;
  /** In words: `integer from 1 to 100000`, `"black" | "mean"`, … */
  readonly type: string;
  /** Undefined if the option has no default. */
  readonly default: unknown;
  readonly description: string;
}

/** The part of JSON Schema that options need. */
interface JsonSchema {
  type?: string;
  enum?: readonly unknown[];
  const?: unknown;
  anyOf?: readonly JsonSchema[];
  items?: JsonSchema;
  prefixItems?: readonly JsonSchema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  default?: unknown;
  description?: string;
  properties?: Readonly<Record<string, JsonSchema>>;
}

/** The standard's JSON Schema of a schema, for libraries that have it. */
interface StandardJsonSchema {
  readonly jsonSchema: { input(options: { target: string }): Record<string, unknown> };
}

/**
 * The documented fields of valibot schemas and of the items of a pipe, as far as this file reads
 * them. The type is structural, so that it fits schemas of a second copy of valibot too.
 */
interface ValibotItem {
  readonly type: string;
  readonly pipe?: readonly ValibotItem[];
  readonly wrapped?: ValibotItem;
  readonly default?: unknown;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly item?: ValibotItem;
  readonly items?: readonly ValibotItem[];
  readonly entries?: Readonly<Record<string, ValibotItem>>;
  readonly requirement?: unknown;
  readonly description?: string;
}

/** JSON Schema by the `type` of a valibot schema, or of an item of its pipe. */
const FROM_VALIBOT: Readonly<Record<string, (item: ValibotItem) => JsonSchema>> = {
  number: ({ type }) => ({ type }),
  string: ({ type }) => ({ type }),
  boolean: ({ type }) => ({ type }),
  safe_integer: () => ({ type: 'integer' }),
  integer: () => ({ type: 'integer' }),
  picklist: ({ options = [] }) => ({ enum: options }),
  literal: ({ literal }) => ({ const: literal }),
  union: ({ options = [] }) => ({ anyOf: (options as readonly ValibotItem[]).map(fromValibot) }),
  nullable: ({ wrapped, default: value }) => ({
    anyOf: [...(wrapped ? [fromValibot(wrapped)] : []), { type: 'null' }],
    default: value,
  }),
  optional: ({ wrapped, default: value }) => ({
    ...(wrapped && fromValibot(wrapped)),
    default: value,
  }),
  array: ({ item }) => ({ type: 'array', ...(item && { items: fromValibot(item) }) }),
  strict_tuple: ({ items = [] }) => ({ prefixItems: items.map(fromValibot) }),
  tuple: ({ items = [] }) => ({ prefixItems: items.map(fromValibot) }),
  object: ({ entries = {} }) => ({ type: 'object', properties: propertiesOf(entries) }),
  min_value: ({ requirement }) => ({ minimum: requirement as number }),
  max_value: ({ requirement }) => ({ maximum: requirement as number }),
  gt_value: ({ requirement }) => ({ exclusiveMinimum: requirement as number }),
  lt_value: ({ requirement }) => ({ exclusiveMaximum: requirement as number }),
  description: ({ description = '' }) => ({ description }),
};

function propertiesOf(entries: Readonly<Record<string, ValibotItem>>): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(entries).map(([name, entry]) => [name, fromValibot(entry)]),
  );
}

function fromValibot(item: ValibotItem): JsonSchema {
  const [schema, ...rest] = item.pipe ?? [];
  if (!schema)
    return FROM_VALIBOT[item.type.replace(/^(strict|loose)_object/, 'object')]?.(item) ?? {};
  return Object.assign({}, fromValibot(schema), ...rest.map(fromValibot));
}

function typeInWords(schema: JsonSchema): string {
  if (schema.anyOf) return schema.anyOf.map(typeInWords).join(' | ');
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeInWords).join(', ')}]`;
  if (schema.type === 'array')
    return `list of ${typeInWords(schema.items ?? {}).replace(/^(number|integer|text)/, '$1s')}`;
  const type = schema.type === 'string' ? 'text' : (schema.type ?? 'any');
  return [type, ...boundsInWords(schema)].join(' ');
}

/** `from 0`, `above 0`, and `to 1`, `below 1`. Bounds that every integer has are left out. */
function boundsInWords(schema: JsonSchema): string[] {
  const { minimum: low, maximum: high, exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  const words: string[] = [];
  if (above !== undefined) words.push(`above ${above}`);
  else if (low !== undefined && low !== Number.MIN_SAFE_INTEGER) words.push(`from ${low}`);
  if (below !== undefined) words.push(words.length > 0 ? `and below ${below}` : `below ${below}`);
  else if (high !== undefined && high !== Number.MAX_SAFE_INTEGER) words.push(`to ${high}`);
  return words;
}

/** The fields of a zod object, in versions without the standard's JSON Schema. */
type ZodShape = Readonly<Record<string, { readonly description?: string }>>;

function fromShape(shape: ZodShape): JsonSchema {
  const fields = Object.entries(shape).map(([name, { description }]) => [name, { description }]);
  return { properties: Object.fromEntries(fields) };
}

function jsonSchemaOf(schema: HasOptions['options']): JsonSchema {
  const standard = schema['~standard'];
  if ('jsonSchema' in standard)
    return (standard as StandardJsonSchema).jsonSchema.input({ target: 'draft-2020-12' });
  if (standard.vendor === 'valibot')
    return fromValibot(schema as HasOptions['options'] & ValibotItem);
  return 'shape' in schema ? fromShape(schema.shape as ZodShape) : {};
}

/**
 * The options of a method, metric or data set, in the order of their declaration, read from the
 * valibot schema or from the standard's JSON Schema (`~standard.jsonSchema`). For other schemas
 * with a `shape`, such as older zod objects, it has names and descriptions, with the type `any`.
 * For all other schemas the list is empty.
 */
export function describeOptions({ options }: Pick<HasOptions, 'options'>): OptionDescription[] {
  return Object.entries(jsonSchemaOf(options).properties ?? {}).map(([name, property]) => ({
    name,
    type: typeInWords(property),
    default: property.default,
    description: property.description ?? '',
  }));
}
