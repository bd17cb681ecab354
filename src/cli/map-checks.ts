import { rankOf, squareCells } from '../checks/cell-game.ts';
import { type CheckedSet, STATEMENTS, type Statement } from '../checks/statements.ts';
import { checkSufficiency, notMostProbable, type Sufficiency } from '../checks/sufficiency.ts';
import type { Explanation } from '../explanation.ts';
import { regionOf } from '../methods/shared/segment-maps.ts';
import type { PreparedInput } from '../prepare-input.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { formatShare, wrapText } from './output.ts';
import type { Run } from './run.ts';
import { shortLabel } from './table.ts';

/**
 * Checks the statements of `--check` about a map, and adds them to its manifest. A class that is not
 * the most probable one cannot be checked: there is a note instead.
 */
export async function withChecks(
  { model, checks, batchSize, signal, output }: Run,
  file: string,
  { input, probabilities }: PreparedInput,
  explanation: Explanation,
): Promise<Explanation> {
  if (checks.length === 0) return explanation;
  const { map, target, manifest } = explanation;
  if (rankOf(probabilities, target.index) > 0) {
    output.note(`${file}: ${notMostProbable(target).message}`);
    return explanation;
  }
  const options = { statements: checks, batchSize, signal };
  const found = await checkSufficiency({ model, input, map, target }, options);
  return { ...explanation, manifest: { ...manifest, checks: found } };
}

/** The statements that were checked about a map, with the set of each that has one. */
export const checkedSets = (checks: Sufficiency): [Statement, CheckedSet][] =>
  STATEMENTS.flatMap((statement) => {
    const set = checks[statement];
    return set ? [[statement, set]] : [];
  });

/**
 * The cells of a set as a mask [H, W] of a map: 1 inside, 0 outside.
 * @param isHidden - whether the cells are the ones that are hidden, so that they are 0
 */
export function maskOf(
  { shape }: Tensor,
  { cells }: CheckedSet,
  grid: number,
  isHidden: boolean,
): Tensor {
  const [height = 0, width = 0] = shape;
  const region = regionOf({ ...squareCells(height, width, grid), height, width }, cells);
  return isHidden ? { ...region, data: region.data.map((inside) => 1 - inside) } : region;
}

/** What a statement says about a set: `17 of 100 cells are enough for "tank"`. */
export function claimOf(statement: Statement, label: string, { cells, share }: CheckedSet): string {
  const total = Math.round(cells.length / share);
  const some = `${cells.length} of ${total} cells`;
  const name = `"${shortLabel(label)}"`;
  if (statement === 'sufficient') return `${some} are enough for ${name}`;
  if (statement === 'necessary') return `without ${some} it is no longer ${name}`;
  return `${some} are enough for ${name}, and without them it is no longer ${name}`;
}

const MISSING: Readonly<Record<Statement, string>> = {
  sufficient: 'no part is enough: not even the whole picture, shown through the cells',
  necessary: 'no part is needed: the class stays the most probable one with all cells hidden',
  contrastive: 'no part is both enough and needed',
};

/** The result of `--check` for one map in plain words, one line per statement. */
export function checkLines({ target, manifest }: Explanation, width: number): string[] {
  const { checks } = manifest;
  return STATEMENTS.flatMap((statement) => {
    const set = checks?.[statement];
    if (set === undefined) return [];
    if (set === null) return [wrapText(`${statement}: ${MISSING[statement]}.`, width, '    ')];
    const doubt = set.isMinimal ? '' : ' (the calls ended before all cells were tried)';
    const text =
      `${statement}: ${claimOf(statement, target.label, set)}: ${formatShare(set.shown)} with ` +
      `only these cells, ${formatShare(set.hidden)} without them${doubt}.`;
    return [wrapText(text, width, '    ')];
  });
}
