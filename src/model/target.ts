import { FoveaError } from '../errors.ts';
import { at } from '../tensor/at.ts';
import { argsortDescending } from '../tensor/tensor.ts';
import { findClass } from './find-class.ts';
import type { Model } from './model.ts';
import { scoredClass } from './scored-class.ts';

/** A class, with its probability for the whole picture. */
export interface ScoredClass {
  readonly index: number;
  readonly label: string;
  readonly probability: number;
}

/** A class to explain, with its probability for the whole picture. */
export interface Target extends ScoredClass {
  /** The classes it is contrasted with, if any: the map shows why this class and not those. */
  readonly against?: readonly ScoredClass[];
}

/** A class by its index or label; or `top:N`, the N most probable classes except the target. */
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

/** The N of `top:N`, or undefined for other texts. */
function topCount(spec: string): number | undefined {
  const top = /^top:?(\d+)$/.exec(spec);
  if (!top) return undefined;
  const count = Number(top[1]);
  if (count >= 1) return count;
  throw new FoveaError('usage', `target "${spec}": expected top:N with N of at least 1`);
}

/** Finds classes or targets, given the probabilities [classes] of a picture. */
type Choose<Found> = (probabilities: Float32Array) => readonly Found[];

const always =
  <Found>(found: Found): Choose<Found> =>
  () => [found];

/** Finds the classes that a target without contrast names. */
function classChooser(model: Model, spec: Exclude<TargetSpec, ContrastSpec>): Choose<number> {
  if (typeof spec === 'number') return always(findClass(model, spec));
  if (typeof spec === 'object') return always(findClass(model, spec.class));
  const count = topCount(spec);
  if (count === undefined) return always(findClass(model, spec));
  return (probabilities) => [...argsortDescending(probabilities).subarray(0, count)];
}

/** Finds the classes that a target is contrasted with. */
function againstChooser(
  model: Model,
  { against }: ContrastSpec,
): (index: number, probabilities: Float32Array) => number[] {
  const choosers = [against].flat().map((spec) => {
    const count = typeof spec === 'number' ? undefined : topCount(spec);
    if (count !== undefined)
      return (ranked: readonly number[]): readonly number[] => ranked.slice(0, count);
    const index = findClass(model, spec);
    return () => [index];
  });
  return (index, probabilities) => {
    const ranked = [...argsortDescending(probabilities)].filter((each) => each !== index);
    const different = [...new Set(choosers.flatMap((choose) => choose(ranked)))];
    if (different.length > 0 && !different.includes(index)) return different;
    const label = at(model.labels, index);
    throw new FoveaError(
      'usage',
      `"${label}" is to be explained against ${different.length === 0 ? 'no class' : 'itself'}: ` +
        'expected another class',
    );
  };
}

/** Finds the targets that one specification names. */
function chooserOf(model: Model, spec: TargetSpec): Choose<Target> {
  if (typeof spec !== 'object' || spec.against === undefined) {
    const choose = classChooser(model, spec);
    return (probabilities) =>
      choose(probabilities).map((index) => scoredClass(model, probabilities, index));
  }
  const choose = classChooser(
    model,
    spec.class === undefined || spec.class === 'top1' ? 'top1' : { class: spec.class },
  );
  const chooseOthers = againstChooser(model, spec);
  return (probabilities) => {
    const scored = (index: number) => scoredClass(model, probabilities, index);
    const index = at(choose(probabilities), 0);
    return [{ ...scored(index), against: chooseOthers(index, probabilities).map(scored) }];
  };
}

/** A key of a target: only equal targets have equal keys. */
const keyOf = ({ index, against = [] }: Target): string =>
  [index, ...against.map((other) => other.index)].join(' ');

/**
 * Checks targets before any picture is classified. Returns a function from the probabilities
 * [classes] of a picture to its targets, each once.
 * @throws FoveaError `usage` for an unknown label or an index out of range. The returned function
 * throws it for a class that is contrasted with itself.
 */
export function targetChooser(
  model: Model,
  spec: TargetSpec | readonly TargetSpec[] = 'top1',
): (probabilities: Float32Array) => Target[] {
  const specs = [spec].flat();
  if (specs.length === 0) throw new FoveaError('usage', 'the list of targets is empty');
  const choosers = specs.map((each) => chooserOf(model, each));
  return (probabilities) => {
    const targets = choosers.flatMap((choose) => choose(probabilities));
    return [...new Map(targets.map((target) => [keyOf(target), target])).values()];
  };
}

/**
 * The targets of a picture, given its probabilities [classes]. A target that is named twice appears
 * once.
 * @throws FoveaError `usage` for an unknown label or an index out of range.
 */
export function resolveTargets(
  model: Model,
  probabilities: Float32Array,
  spec: TargetSpec | readonly TargetSpec[] = 'top1',
): Target[] {
  return targetChooser(model, spec)(probabilities);
}
