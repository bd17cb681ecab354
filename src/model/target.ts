import { FoveaError } from '../errors.ts';
import { at } from '../tensor/at.ts';
import { argsortDescending } from '../tensor/tensor.ts';
import type { Model } from './model.ts';

/** A class, with its probability for the whole picture. */
export interface ScoredClass {
  readonly index: number;
  readonly label: string;
  readonly probability: number;
}

/** A class to explain, with its probability for the whole picture. */
export interface Target extends ScoredClass {
  /** The classes it is contrasted with, if any: why this class and not those. */
  readonly against?: readonly ScoredClass[];
}

/** A class by its index or label; or `top:N`, the N most probable classes beside the target. */
export type AgainstSpec = `top:${number}` | string | number;

/** Why the class (`top1` by default) and not others: a label, an index, `top:N`, or a list. */
export interface ContrastSpec {
  readonly class?: string | number;
  readonly against: AgainstSpec | readonly AgainstSpec[];
}

/**
 * What to explain: the `top1` or `top:N` classes of the picture, a class by its index, a class by
 * its label, as in `{ class: 'tabby cat' }`, or a contrast, as in `{ class: 'tank', against:
 * 'cab' }`.
 */
export type TargetSpec =
  | 'top1'
  | `top:${number}`
  | number
  | { readonly class: string | number; readonly against?: undefined }
  | ContrastSpec;

/** A target as the command line takes it: `top1`, `top:N`, a class index or a label. */
export function parseTarget(text: string): TargetSpec {
  const top = /^top:?(\d+)$/.exec(text.trim());
  if (top) return top[1] === '1' ? 'top1' : `top:${Number(top[1])}`;
  return /^-?\d+$/.test(text.trim()) ? Number(text) : { class: text };
}

function scoredClass(model: Model, probabilities: Float32Array, index: number): ScoredClass {
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

/** The N of `top:N`, or undefined for other texts. */
function topCount(spec: string): number | undefined {
  const top = /^top:?(\d+)$/.exec(spec);
  if (!top) return undefined;
  const count = Number(top[1]);
  if (count >= 1) return count;
  throw new FoveaError('usage', `target "${spec}": expected top:N with N of at least 1`);
}

const classOf = (model: Model, named: string | number): number =>
  typeof named === 'number' ? inRange(model, named) : indexOf(model, named);

/** The indices of the classes that a target without contrast names. */
function indicesOf(
  model: Model,
  probabilities: Float32Array,
  spec: Exclude<TargetSpec, ContrastSpec>,
): number[] {
  if (typeof spec === 'number') return [inRange(model, spec)];
  if (typeof spec === 'object') return [classOf(model, spec.class)];
  const count = topCount(spec);
  if (count === undefined) return [classOf(model, spec)];
  return [...argsortDescending(probabilities).subarray(0, count)];
}

/** The classes that a target is contrasted with. */
function againstOf(
  model: Model,
  probabilities: Float32Array,
  index: number,
  { against }: ContrastSpec,
): number[] {
  const indices = [against].flat().flatMap((spec) => {
    const count = typeof spec === 'number' ? undefined : topCount(spec);
    if (count === undefined) return [classOf(model, spec)];
    return [...argsortDescending(probabilities)].filter((each) => each !== index).slice(0, count);
  });
  const different = [...new Set(indices)];
  if (different.length > 0 && !different.includes(index)) return different;
  const label = at(model.labels, index);
  throw new FoveaError(
    'usage',
    `"${label}" is to be explained against ${different.length === 0 ? 'no class' : 'itself'}: ` +
      'expected another class',
  );
}

/** The targets that one specification names. */
function targetsOf(model: Model, probabilities: Float32Array, spec: TargetSpec): Target[] {
  const scored = (index: number): ScoredClass => scoredClass(model, probabilities, index);
  if (typeof spec !== 'object' || spec.against === undefined)
    return indicesOf(model, probabilities, spec).map(scored);
  const named = spec.class ?? 'top1';
  const [index = 0] = named === 'top1' ? argsortDescending(probabilities) : [classOf(model, named)];
  return [{ ...scored(index), against: againstOf(model, probabilities, index, spec).map(scored) }];
}

/** A text that two targets share only if they are the same. */
const keyOf = ({ index, against = [] }: Target): string =>
  [index, ...against.map((other) => other.index)].join(' ');

/**
 * The classes that targets name, given the probabilities [classes] of the whole picture; a target
 * that is named twice appears once.
 * @throws FoveaError `usage` for an unknown label or an index out of range.
 */
export function resolveTargets(
  model: Model,
  probabilities: Float32Array,
  spec: TargetSpec | readonly TargetSpec[] = 'top1',
): Target[] {
  const specs = [spec].flat();
  if (specs.length === 0) throw new FoveaError('usage', 'the list of targets is empty');
  const targets = specs.flatMap((each) => targetsOf(model, probabilities, each));
  return [...new Map(targets.map((target) => [keyOf(target), target])).values()];
}
