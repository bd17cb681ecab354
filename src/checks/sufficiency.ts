import { FoveaError } from '../errors.ts';
import { type BaselineName, createBaseline } from '../model/input/baseline.ts';
import type { Model } from '../model/model.ts';
import { at } from '../tensor/at.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { cellOrder, createCellGame, squareCells } from './cell-game.ts';
import {
  CALLS,
  type CheckedSet,
  checkStatement,
  STATEMENTS,
  type Statement,
} from './statements.ts';

/** The default budget of a statement: so many sets are tested. */
const MAX_CALLS = 60;

/** Options of `checkSufficiency`: the statements, the grid, the baseline and the budget. */
export interface SufficiencyOptions {
  /** The statements to check; `sufficient` and `necessary` by default. */
  readonly statements?: readonly Statement[];
  /**
   * Number of cells in each direction; 8 by default. It is at most the height and the width of the
   * picture.
   */
  readonly grid?: number;
  /** The baseline that replaces hidden cells; the blurred picture by default. */
  readonly baseline?: BaselineName;
  /**
   * Largest number of model calls per statement; 60 by default. `contrastive` needs two calls per
   * set, so it may take twice as many. With the default grid, up to 16
   * calls are needed before a set is made minimal. So a smaller budget may be exceeded.
   */
  readonly maxCalls?: number;
  /** Number of pictures per batch. By default the model chooses it. */
  readonly batchSize?: number;
  /** Aborts the check. */
  readonly signal?: AbortSignal;
}

/** Statements about a map, which can be checked by showing and hiding cells. */
export type Sufficiency = {
  /** Number of cells in each direction. */
  readonly grid: number;
  /** What replaces hidden cells. */
  readonly baseline: BaselineName;
  /** Probability of the class for the whole picture. */
  readonly whole: number;
  /**
   * A small set of cells that keeps the class the most probable one if only these cells are shown.
   * It starts from the smallest top part of the map with this property that was found, and leaves
   * out cells that are not needed. Null if even all cells do not keep the class. Left out if the
   * statement was not asked for.
   */
  readonly sufficient?: CheckedSet | null;
  /**
   * A small set of cells without which the class is no longer the most probable one. It starts from
   * the smallest top part of the map with this property that was found, and leaves out cells that
   * need not be hidden. Null if the class stays the most probable one even if all cells are hidden.
   * Left out if the statement was not asked for.
   */
  readonly necessary?: CheckedSet | null;
  /**
   * A small set of cells that is both sufficient and necessary. Null if there is none. Left out if
   * the statement was not asked for.
   */
  readonly contrastive?: CheckedSet | null;
  /** Number of pictures that the model has scored, for all statements together. */
  readonly modelCalls: number;
};

/** The map to check, [H, W], with its model, picture and class. */
export interface CheckedMap {
  readonly model: Model;
  /** The preprocessed picture, [1, C, H, W]. */
  readonly input: Tensor;
  /** The map of `target`, [H, W]. Larger values mean more important pixels. */
  readonly map: Tensor;
  /** The class, by its index and its label. */
  readonly target: { readonly index: number; readonly label: string };
}

/** The error for a class that is not the most probable one, so that no part can keep it so. */
export const notMostProbable = ({ label }: CheckedMap['target']): FoveaError =>
  new FoveaError(
    'usage',
    `"${label}" is not the most probable class of the picture, so no part of the picture can keep ` +
      'it: check the most probable class',
  );

/**
 * The largest number of model calls of `checkSufficiency` with default options: one for the whole
 * picture, and those of each statement.
 */
export const mostCalls = (statements: readonly Statement[]): number =>
  statements.reduce((sum, statement) => sum + CALLS[statement] * MAX_CALLS, 1);

/**
 * Derives statements from a map: which cells are sufficient for the class, and which are necessary.
 * The sets are built in the order of the map, so the statements judge the map: a good map needs few
 * cells for both. A set is sufficient if the class is the most probable one when only the set is
 * shown. A set is necessary if the class is not the most probable one when the set is hidden.
 *
 * With the default options this takes 15 to 60 model calls per statement.
 * @throws FoveaError `usage` if the class is not the most probable one of the whole picture.
 */
export async function checkSufficiency(
  checked: CheckedMap,
  options: SufficiencyOptions = {},
): Promise<Sufficiency> {
  const { input, map, target } = checked;
  const {
    statements = ['sufficient', 'necessary'],
    baseline = 'blur',
    maxCalls = MAX_CALLS,
  } = options;
  const [, , height = 0, width = 0] = input.shape;
  const grid = Math.max(1, Math.min(options.grid ?? 8, height, width));
  const cells = squareCells(height, width, grid);
  const hiddenPicture = createBaseline(baseline, checked.model, input);
  const { batchSize, signal } = options;
  const game = createCellGame({ ...checked, batchSize, signal }, cells, hiddenPicture);
  const all = cellOrder(map, cells);
  if (at(await game.keeps([all]), 0) < 0) throw notMostProbable(target);
  const found: Partial<Record<Statement, CheckedSet | null>> = {};
  for (const statement of STATEMENTS.filter((each) => statements.includes(each)))
    found[statement] = await checkStatement(game, all, statement, maxCalls);
  const whole = await game.shown(all);
  return { grid, baseline, whole, ...found, modelCalls: game.calls() };
}
