import { FoveaError } from '../errors.ts';
import { argsortDescending } from '../tensor/tensor.ts';
import type { Model } from './model.ts';

/** A class to explain, with its probability for the whole picture. */
export interface Target {
  readonly index: number;
  readonly label: string;
  readonly probability: number;
}

/** `top1`, `top:N`, a class index or a label, as the command line takes it; numbers are indices. */
export type TargetSpec = string | number;

function targetOf(model: Model, probabilities: Float32Array, index: number): Target {
  return { index, label: model.labels[index], probability: probabilities[index] };
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
    ? `; near it: ${near.map((label) => `"${label}"`).join(', ')}`
    : `; the first are ${labels
        .slice(0, 3)
        .map((label) => `"${label}"`)
        .join(', ')}`;
}

function indexOf(model: Model, spec: string): number {
  const found = model.labels.flatMap((label, index) => (matches(label, spec) ? [index] : []));
  if (found.length === 1) return found[0];
  if (found.length > 1) {
    throw new FoveaError(
      'usage',
      `target "${spec}" names ${found.length} classes of ${model.name} (${found.join(', ')}): give the class index`,
    );
  }
  throw new FoveaError(
    'usage',
    `target "${spec}" is no class of ${model.name}: expected top1, top:N, an index 0 to ${model.labels.length - 1}, or a label${suggestions(model.labels, spec)}`,
  );
}

/**
 * The classes a target names, given the probabilities [classes] of the whole picture.
 * @throws FoveaError `usage` for an unknown label or an index out of range.
 */
export function resolveTargets(
  model: Model,
  probabilities: Float32Array,
  spec: TargetSpec = 'top1',
): Target[] {
  const classes = model.labels.length;
  const top = /^top(?::?(\d+))?$/.exec(String(spec));
  if (top) {
    const count = Number(top[1] ?? 1);
    if (count < 1)
      throw new FoveaError('usage', `target "${spec}": expected top:N with N of at least 1`);
    return Array.from(
      argsortDescending(probabilities).subarray(0, Math.min(count, classes)),
      (index) => targetOf(model, probabilities, index),
    );
  }
  const index = /^-?\d+$/.test(String(spec)) ? Number(spec) : indexOf(model, String(spec));
  if (!Number.isInteger(index) || index < 0 || index >= classes) {
    throw new FoveaError(
      'usage',
      `target ${spec} is out of range: ${model.name} has ${classes} classes, 0 to ${classes - 1}`,
    );
  }
  return [targetOf(model, probabilities, index)];
}
