import { FoveaError } from '../errors.ts';
import { nearName } from '../near-names.ts';
import { at } from '../tensor/at.ts';
import type { Model } from './model.ts';

/**
 * The names of a class: its label, and each synonym in a label such as `tench, Tinca tinca` of
 * ImageNet lists.
 */
const namesOf = (label: string): string[] => [...new Set([label, ...label.split(/,\s*/)])];

const isNamed = (label: string, wanted: string): boolean =>
  namesOf(label).some((name) => name.toLowerCase() === wanted.trim().toLowerCase());

/** Classes by index and label, for messages. */
const listed = (labels: readonly string[], indices: readonly number[]): string =>
  indices.map((index) => `${index} "${at(labels, index)}"`).join(', ');

const MOST_LISTED = 5;
/** Longer names are not suggested. */
const LONGEST_NAME = 100;

/** Suggests the class that a wrong label probably means, or classes with the same words. */
function suggestion(labels: readonly string[], wanted: string): string {
  const names = labels.flatMap(namesOf).filter((name) => name.length <= LONGEST_NAME);
  const near = nearName(wanted.trim(), names);
  if (near !== undefined) {
    const index = labels.findIndex((label) => isNamed(label, near));
    return `did you mean "${near}" (class ${index})? `;
  }
  const words = wanted
    .toLowerCase()
    .split(/[\s_-]+/)
    .filter((word) => word.length > 2);
  const similar = labels.flatMap((label, index) =>
    words.some((word) => label.toLowerCase().includes(word)) ? [index] : [],
  );
  return similar.length > 0
    ? `similar labels are ${listed(labels, similar.slice(0, MOST_LISTED))}; `
    : `its labels are ${listed(labels, [...labels.keys()].slice(0, 3))}, …; `;
}

function indexOfLabel({ name, labels }: Model, spec: string): number {
  const found = labels.flatMap((label, index) => (isNamed(label, spec) ? [index] : []));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (found.length > 1) {
    const classes = listed(labels, found.slice(0, MOST_LISTED));
    const more = found.length > MOST_LISTED ? ', …' : '';
    throw new FoveaError(
      'usage',
      `target "${spec}" names ${found.length} classes of ${name} (${classes}${more}): ` +
        `give the class index; fovea inspect MODEL --classes ${JSON.stringify(spec)} lists them`,
    );
  }
  throw new FoveaError(
    'usage',
    `target "${spec}" is not a class of ${name}: ${suggestion(labels, spec)}` +
      `expected top1, top:N, an index 0 to ${labels.length - 1}, or a label`,
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

/**
 * The index of a class that is given by its index, by its label in any case, or by one of its
 * synonyms.
 * @throws FoveaError `usage` for an unknown label, with the probable one; for a label of several
 * classes, with their indices; for an index out of range.
 */
export function findClass(model: Model, named: string | number): number {
  return typeof named === 'number' ? inRange(model, named) : indexOfLabel(model, named);
}
