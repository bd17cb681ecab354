import * as v from 'valibot';
import { visibleText } from './visible-text.ts';

/** A checked value, or its first problems: `path: expected …, got …`. */
export type Checked<Output> =
  | { readonly value: Output; readonly problems?: undefined }
  | { readonly value?: undefined; readonly problems: readonly string[] };

/** The most characters of a wrong value that a message shows, and the most problems. */
const MOST_SHOWN = 40;
const MOST_PROBLEMS = 3;

function inWords(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === null) return issue.message;
  if (issue.received === 'undefined') return 'is missing';
  const received = visibleText(issue.received);
  const shown = received.length > MOST_SHOWN ? `${received.slice(0, MOST_SHOWN)}…` : received;
  return `expected ${issue.expected}, got ${shown}`;
}

/**
 * Checks a value from a file, a server or a caller against a schema. A list is not an object.
 * @param whole - the name of the value, for problems that are not in one of its fields
 */
export function checkJson<Schema extends v.GenericSchema>(
  schema: Schema,
  json: unknown,
  whole: string,
): Checked<v.InferOutput<Schema>> {
  if (schema.expects === 'Object' && Array.isArray(json))
    return { problems: [`${whole}: expected Object, got Array`] };
  const result = v.safeParse(schema, json);
  if (result.success) return { value: result.output };
  const problems = result.issues
    .slice(0, MOST_PROBLEMS)
    .map((issue) => `${v.getDotPath(issue) ?? whole}: ${inWords(issue)}`);
  return { problems };
}
