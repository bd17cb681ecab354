import { FoveaError } from '../errors.ts';

/**
 * Checks the most model calls that a caller allows.
 * @throws FoveaError `usage` if `budget` is not a number above 0.
 */
export function checkBudget(budget: number | undefined): void {
  if (budget === undefined || budget > 0) return;
  throw new FoveaError('usage', `budget ${budget}: expected a number above 0`);
}
