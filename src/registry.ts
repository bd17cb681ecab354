import { FoveaError } from './errors.ts';
import { didYouMean } from './near-names.ts';

/** Items of one kind by name: methods, metrics, data set readers, color maps. */
export interface Registry<Item extends { readonly name: string }> extends Iterable<Item> {
  /** The kind of its items, in the singular: `method`. */
  readonly kind: string;
  /** Names in the order of registration. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /**
   * The item of that name.
   * @throws FoveaError `usage` for an unknown name, with the nearest names and all of them.
   */
  get(name: string): Item;
  /**
   * Adds items after the existing ones. The same object may be added twice.
   * @throws FoveaError `usage` if another item has the name, or if the name is not one word of
   * letters, digits and hyphens.
   */
  register(...items: readonly Item[]): void;
}

/** Names are used in file names, flags and addresses. */
const NAME = /^[a-z0-9]+(?:[-_.][a-z0-9]+)*$/i;

/** Makes an empty registry for items of one kind. */
export function createRegistry<Item extends { readonly name: string }>(
  kind: string,
): Registry<Item> {
  const items = new Map<string, Item>();
  const unknown = (name: string): FoveaError => {
    const names = [...items.keys()];
    if (names.length === 0) {
      return new FoveaError('usage', `unknown ${kind} "${name}": no ${kind} is registered`);
    }
    const hint = didYouMean(name, names);
    return new FoveaError(
      'usage',
      `unknown ${kind} "${name}": ${hint}expected one of ${names.join(', ')}`,
    );
  };
  return {
    kind,
    get names() {
      return [...items.keys()];
    },
    has: (name) => items.has(name),
    get(name) {
      const item = items.get(name);
      if (!item) throw unknown(name);
      return item;
    },
    register(...added) {
      for (const item of added) {
        if (!NAME.test(item.name)) {
          throw new FoveaError(
            'usage',
            `the ${kind} name "${item.name}" is not valid: expected letters, digits and hyphens`,
          );
        }
        const there = items.get(item.name);
        if (there !== undefined && there !== item) {
          throw new FoveaError('usage', `there is already a ${kind} "${item.name}": rename yours`);
        }
        items.set(item.name, item);
      }
    },
    [Symbol.iterator]: () => items.values(),
  };
}
