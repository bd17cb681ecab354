import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import { parseJson } from '../../json.ts';
import { cleanLabels } from './labels.ts';

const listSchema = v.array(v.string());
const recordSchema = v.record(v.string(), v.union([v.string(), listSchema]));

/** The WordNet id before a name in ImageNet's lists: `n01440764 tench`. */
const WORDNET_ID = /^n\d{8}[\s,:]+(?=\S)/;
/** `0: tench`, `0 tench`, `0,tench`, `0<tab>tench`. */
const NUMBERED = /^(\d{1,7})[\s,:]+(\S.*)$/;

/** The labels in the order of their numbers. */
function inOrder(entries: readonly (readonly [number, string])[], name: string): string[] {
  const labels = new Map(entries);
  const list = entries.flatMap((_, index) => labels.get(index) ?? []);
  if (list.length === entries.length) return list;
  throw new FoveaError(
    'usage',
    `${name}: the classes must be numbered 0 to ${entries.length - 1}, each once`,
  );
}

function fromJson(text: string, name: string): string[] | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  let json: unknown;
  try {
    json = parseJson(text);
  } catch {
    return undefined; // a text file whose first label begins with a bracket
  }
  const { success, output: data } = v.safeParse(
    Array.isArray(json) ? listSchema : recordSchema,
    json,
  );
  if (!success)
    throw new FoveaError(
      'usage',
      `${name}: expected a list of labels, or an object of number: label`,
    );
  if (Array.isArray(data)) return data;
  const last = (value: string | string[]) => (Array.isArray(value) ? (value.at(-1) ?? '') : value);
  return inOrder(
    Object.entries(data).map(([index, value]) => [Number(index), last(value)]),
    name,
  );
}

/**
 * The labels of a text file: one per line, as in `imagenet_classes.txt`, the first line class 0.
 * Numbers before the labels (`0: tench`) and WordNet ids (`n01440764 tench`) are removed. JSON is
 * accepted too: a list, or an object of number: label, such as Keras's `imagenet_class_index.json`.
 * @param name - the name of the file, for messages
 * @throws FoveaError `usage` if there are no labels, a label is empty, or the numbers are wrong.
 */
export function parseLabels(text: string, name: string): string[] {
  const json = fromJson(text.replace(/^\uFEFF/, ''), name);
  if (json) return nonEmpty(json, name);
  const lines = text
    .replace(/^\uFEFF/, '')
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.trim());
  const numbered = lines.map((line) => NUMBERED.exec(line));
  const isNumbered = numbered.every((match, i) => match !== null && Number(match[1]) === i);
  const labels = lines.map((line, i) => (isNumbered ? (numbered[i]?.[2] ?? '') : line));
  const hasIds = labels.every((label) => WORDNET_ID.test(label));
  return nonEmpty(
    labels.map((label) => (hasIds ? label.replace(WORDNET_ID, '') : label)),
    name,
  );
}

function nonEmpty(labels: readonly string[], name: string): string[] {
  const empty = labels.findIndex((label) => label.trim() === '');
  if (labels.length === 0 || (labels.length === 1 && empty === 0))
    throw new FoveaError('usage', `${name} contains no labels: expected one per line`);
  if (empty >= 0)
    throw new FoveaError('usage', `${name}: label ${empty + 1} is empty: expected one per line`);
  return cleanLabels(labels);
}
