import { FoveaError } from '../errors.ts';

/**
 * Element `index` of a list, counted from 0. The list must have it.
 * @throws FoveaError `internal` if the list has no such element.
 */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const value = list[index];
  if (value === undefined)
    throw new FoveaError('internal', `a list of ${list.length} has no element ${index}`);
  return value;
}
