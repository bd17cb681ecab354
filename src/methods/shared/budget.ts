import { FoveaError } from '../../errors.ts';

/**
 * Refuses a budget that is too small for a method.
 * @throws FoveaError `usage` if `budget` is below `least`.
 */
export function requireBudget(name: string, budget: number, least: number): void {
  if (budget >= least) return;
  throw new FoveaError(
    'usage',
    `${name} needs at least ${least} model calls here, but its budget is ${budget}: raise the budget`,
  );
}
