import { z } from 'zod';
import { FoveaError } from './errors.ts';

/** One option of a method, for help texts, forms and docs. */
export interface OptionDescription {
  readonly name: string;
  /** In words: `integer 1 … 100000`, `"black" | "mean"`, … */
  readonly type: string;
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

function typeInWords(schema: JsonSchema): string {
  if (schema.anyOf) return schema.anyOf.map(typeInWords).join(' | ');
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeInWords).join(', ')}]`;
  if (schema.type === 'array') return `list of ${typeInWords(schema.items ?? {})}`;
  const limit = 2 ** 53 - 1;
  const low =
    schema.exclusiveMinimum !== undefined
      ? `above ${schema.exclusiveMinimum}`
      : schema.minimum !== undefined && schema.minimum !== -limit
        ? `from ${schema.minimum}`
        : '';
  const high =
    schema.maximum !== undefined && schema.maximum !== limit ? `to ${schema.maximum}` : '';
  return [schema.type === 'string' ? 'text' : (schema.type ?? 'any'), low, high]
    .filter(Boolean)
    .join(' ');
}

/** The options of a method, in declaration order, read off its schema. */
export function describeOptions(method: { readonly options: z.ZodObject }): OptionDescription[] {
  const schema = z.toJSONSchema(method.options, {
    io: 'input',
    unrepresentable: 'any',
  }) as JsonSchema;
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    type: typeInWords(property),
    default: property.default,
    description: property.description ?? '',
  }));
}

/**
 * A method's options, checked and completed with defaults.
 * @throws FoveaError `usage` for an unknown option or a value out of range, naming both.
 */
export function parseOptions(
  method: { readonly name: string; readonly options: z.ZodObject },
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const known = Object.keys(method.options.shape);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const has = known.length > 0 ? `its options are ${known.join(', ')}` : 'it has no options';
    throw new FoveaError('usage', `${method.name} has no option "${unknown}": ${has}`);
  }
  const result = method.options.safeParse(given);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const name = String(issue.path[0] ?? '');
  const wanted = describeOptions(method).find((option) => option.name === name)?.type;
  const reason = wanted === undefined ? issue.message : `expected ${wanted}`;
  throw new FoveaError(
    'usage',
    `${method.name}.${name} = ${JSON.stringify(given[name])}: ${reason}`,
  );
}
