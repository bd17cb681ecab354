import { FoveaError } from '../errors.ts';
import { at } from '../tensor/at.ts';
import { argsortDescending } from '../tensor/tensor.ts';
import type { Model } from './model.ts';

/** A class to explain, with its probability for the whole picture. */
export interface Target {
  readonly index: number;
  readonly label: string;
  readonly probability: number;
}

/**
 * What to explain: the `top1` or `top:N` classes of the picture, a class by its index, or a class
 * by its label, as in `{ class: 'tabby cat' }`.
 */
export type TargetSpec = 'top1' | `top:${number}` | number | { readonly class: string | number };

/** A target as the command line takes it: `top1`, `top:N`, a class index or a label. */
export function parseTarget(text: string): TargetSpec {
  const top = /^top:?(\d+)$/.exec(text.trim());
  if (top) return top[1] === '1' ? 'top1' : `top:${Number(top[1])}`;
  return /^-?\d+$/.test(text.trim()) ? Number(text) : { class: text };
}

function targetOf(model: Model, probabilities: Float32Array, index: number): Target {
  return { index, label: at(model.labels, index), probability: at(probabilities, index) };
}

/**
 * A label is written `tench, Tinca tinca` in ImageNet lists: each of its synonyms counts as its
 * name.
 */
function matches(label: string, wanted: string): boolean {
  const name = wanted.trim().toLowerCase();
  return label.toLowerCase() === name || label.toLowerCase().split(/,\s*/).includes(name);
}

function suggestions(labels: readonly string[], wanted: string): string {
  const words = wanted
    .toLowerCase()
    .split(/[\s_-]+/)
    .filter((word) => word.length > 2);
  const near = labels
    .filter((label) => words.some((word) => label.toLowerCase().includes(word)))
    .slice(0, 5);
  return near.length > 0
    ? `; similar labels: ${near.map((label) => `"${label}"`).join(', ')}`
    : `; the first are ${labels
        .slice(0, 3)
        .map((label) => `"${label}"`)
        .join(', ')}`;
}

function indexOf(model: Model, spec: string): number {
  const found = model.labels.flatMap((label, index) => (matches(label, spec) ? [index] : []));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (found.length > 1) {
    throw new FoveaError(
      'usage',
      `target "${spec}" names ${found.length} classes of ${model.name} (${found.join(', ')}): ` +
        'give the class index',
    );
  }
  throw new FoveaError(
    'usage',
    `target "${spec}" is not a class of ${model.name}: expected top1, top:N, ` +
      `an index 0 to ${model.labels.length - 1}, or a label${suggestions(model.labels, spec)}`,
  );
}

function inRange(model: Model, index: number): number {
  const classes = model.labels.length;
  if (Number.isInteger(index) && index >= 0 && index < classes) return index;
  throw new FoveaError(
    'usage',
    `target ${index} is out of range: ${model.name} has ${classes} classes, 0 to ${classes - 1}`,
  );
}

/** The indices of the classes that one target names. */
function indicesOf(model: Model, probabilities: Float32Array, spec: TargetSpec): number[] {
  if (typeof spec === 'number') return [inRange(model, spec)];
  if (typeof spec === 'object') {
    const { class: named } = spec;
    return [typeof named === 'number' ? inRange(model, named) : indexOf(model, named)];
  }
  const top = /^top:?(\d+)$/.exec(spec);
  if (!top) return indicesOf(model, probabilities, parseTarget(spec));
  const count = Number(top[1]);
  if (count < 1) {
    throw new FoveaError('usage', `target "${spec}": expected top:N with N of at least 1`);
  }
  return [...argsortDescending(probabilities).subarray(0, count)];
}

/**
 * The classes that targets name, given the probabilities [classes] of the whole picture; a class
 * that is named twice appears once.
 * @throws FoveaError `usage` for an unknown label or an index out of range.
 */
export function resolveTargets(
  model: Model,
  probabilities: Float32Array,
  spec: TargetSpec | readonly TargetSpec[] = 'top1',
): Target[] {
  const specs = typeof spec === 'object' && !('class' in spec) ? spec : [spec];
  if (specs.length === 0) throw new FoveaError('usage', 'the list of targets is empty');
  const indices = specs.flatMap((each) => indicesOf(model, probabilities, each));
  return [...new Set(indices)].map((index) => targetOf(model, probabilities, index));
}
