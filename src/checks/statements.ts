import type { CellGame } from './cell-game.ts';
import { minimalPart } from './minimal-part.ts';
import { type ScoreSets, smallestTopPart } from './top-part.ts';

/**
 * The statements about a map that can be checked. `sufficient`: the cells keep the class if only
 * they are shown. `necessary`: the class is lost if they are hidden. `contrastive`: both.
 */
export const STATEMENTS = ['sufficient', 'necessary', 'contrastive'] as const;
export type Statement = (typeof STATEMENTS)[number];

/** A set of cells, and the probabilities of the class with and without them. */
export type CheckedSet = {
  /** Indices of the cells in the set, in the order of the map. Cells are numbered row by row. */
  readonly cells: readonly number[];
  /** Number of cells in the set divided by the number of all cells, 0 … 1. */
  readonly share: number;
  /** Probability of the class if only the set is shown. */
  readonly shown: number;
  /** Probability of the class if the set is hidden. */
  readonly hidden: number;
  /**
   * Whether the statement becomes false if any single cell is removed from the set. `isMinimal` is
   * also false if the budget was too small to find out.
   */
  readonly isMinimal: boolean;
};

/** The scores of a statement in a game: 0 or more if the statement is true for a set. */
function scoresFor(game: CellGame, statement: Statement): ScoreSets {
  if (statement === 'sufficient') return game.keeps;
  if (statement === 'necessary') return game.loses;
  return async (sets) => {
    const keeps = await game.keeps(sets);
    const loses = await game.loses(sets);
    return keeps.map((value, i) => Math.min(value, loses[i] ?? value));
  };
}

/** Pictures that a statement scores for one set of cells. */
export const CALLS = { sufficient: 1, necessary: 1, contrastive: 2 } as const;

/**
 * A small set of cells for which a statement is true: the smallest top part of the order, made
 * minimal. Null if the statement is true for no top part.
 * @param order - the cells, the most important first
 * @param maxSets - the largest number of sets that are tested; finding the top part may exceed it.
 * Each test is one model call, or two for `contrastive`.
 */
export async function checkStatement(
  game: CellGame,
  order: readonly number[],
  statement: Statement,
  maxSets: number,
): Promise<CheckedSet | null> {
  const score = scoresFor(game, statement);
  const last = game.calls() + CALLS[statement] * maxSets;
  const top = await smallestTopPart(score, order);
  if (top === null) return null;
  // One call is kept for scoring the set from the other side.
  const room = () => Math.floor((last - 1 - game.calls()) / CALLS[statement]);
  const { parts, isMinimal } = await minimalPart(score, top, room);
  const [shown, hidden] = [await game.shown(parts), await game.hidden(parts)];
  return { cells: parts, share: parts.length / game.count, shown, hidden, isMinimal };
}

/**
 * Up to `count` sufficient sets of cells without a common cell. Each is searched among the cells
 * that the earlier ones left, in the order of the map. Ends if the cells that are left are not
 * sufficient.
 * @param maxSets - the largest number of tests per set, as for `checkStatement`
 */
export async function disjointSets(
  game: CellGame,
  order: readonly number[],
  count: number,
  maxSets: number,
): Promise<CheckedSet[]> {
  const sets: CheckedSet[] = [];
  let left = order;
  while (sets.length < count && left.length > 0) {
    const set = await checkStatement(game, left, 'sufficient', maxSets);
    if (set === null) break;
    sets.push(set);
    left = left.filter((cell) => !set.cells.includes(cell));
  }
  return sets;
}
