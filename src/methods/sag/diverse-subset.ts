import { at } from '../../tensor/at.ts';
import { overlapOf, type PatchSet, sizeOfSet } from './patch-set.ts';
import { inOrder, type SufficientSet } from './search.ts';

/** The largest number of candidates for which the largest diverse subset is found exactly. */
const EXACT_CANDIDATES = 64;

/**
 * The diverse sets, a smallest one first, then by size and probability; and whether no larger
 * choice with a smallest set exists.
 */
export interface DiverseSubset {
  readonly sets: readonly SufficientSet[];
  /**
   * False for more than `EXACT_CANDIDATES` candidates. Then the sets are chosen greedily, those
   * with the fewest conflicts first. This gives at least n / (d + 1) sets, where d is the mean
   * number of conflicts of a set (Turán's bound).
   */
  readonly exact: boolean;
}

interface Choice {
  readonly members: readonly number[];
  readonly probability: number;
}

const better = (a: Choice, b: Choice): boolean =>
  a.members.length > b.members.length ||
  (a.members.length === b.members.length && a.probability > b.probability);

/** For each candidate, the candidates that may be chosen together with it, as bits. */
function compatibility(sets: readonly PatchSet[], maxOverlap: number): bigint[] {
  return sets.map((a, i) =>
    sets.reduce(
      (bits, b, j) => (i !== j && overlapOf(a, b) <= maxOverlap ? bits | (1n << BigInt(j)) : bits),
      0n,
    ),
  );
}

const bitsOf = (bits: bigint): number[] =>
  [...bits.toString(2)].reverse().flatMap((bit, i) => (bit === '1' ? [i] : []));

/**
 * Candidates, which are tried from the end. For each place: an upper bound on how many sets, and
 * how much probability, the candidates up to this place can add.
 */
interface Colouring {
  readonly order: readonly number[];
  readonly sizes: readonly number[];
  readonly probabilities: readonly number[];
}

/**
 * Divides the candidates greedily into classes of mutually incompatible candidates. A choice
 * contains at most one candidate per class, so the most probable one of each class gives the bound.
 */
function colouring(
  candidates: readonly number[],
  beside: readonly bigint[],
  probabilities: readonly number[],
): Colouring {
  const order: number[] = [];
  const sizes: number[] = [];
  const sums: number[] = [];
  let before = 0;
  let rest = [...candidates];
  for (let size = 1; rest.length > 0; size++) {
    const taken: number[] = [];
    for (const candidate of rest)
      if (taken.every((other) => ((beside[candidate] >> BigInt(other)) & 1n) === 0n))
        taken.push(candidate);
    let highest = 0;
    for (const candidate of taken) {
      highest = Math.max(highest, probabilities[candidate]);
      order.push(candidate);
      sizes.push(size);
      sums.push(before + highest);
    }
    before += highest;
    rest = rest.filter((candidate) => !taken.includes(candidate));
  }
  return { order, sizes, probabilities: sums };
}

/**
 * Maximum clique by branch and bound on colors (Tomita & Seki 2003). Of several largest choices it
 * returns the one with the largest sum of probabilities.
 */
function largestChoice(beside: readonly bigint[], probabilities: readonly number[]): Choice {
  let best: Choice = { members: [], probability: 0 };
  const visit = (chosen: Choice, candidates: bigint): void => {
    if (better(chosen, best)) best = chosen;
    const bound = colouring(bitsOf(candidates), beside, probabilities);
    let left = candidates;
    for (let i = bound.order.length - 1; i >= 0; i--) {
      const missing = best.members.length - chosen.members.length;
      if (
        bound.sizes[i] < missing ||
        (bound.sizes[i] === missing &&
          chosen.probability + bound.probabilities[i] <= best.probability)
      )
        return;
      const next = bound.order[i];
      visit(
        {
          members: [...chosen.members, next],
          probability: chosen.probability + probabilities[next],
        },
        left & beside[next],
      );
      left &= ~(1n << BigInt(next));
    }
  };
  visit(best, (1n << BigInt(beside.length)) - 1n);
  return best;
}

/**
 * Repeatedly takes the remaining candidate with the fewest conflicts (of several, the most probable
 * one) until none is left.
 */
function greedyChoice(beside: readonly bigint[], probabilities: readonly number[]): Choice {
  const members: number[] = [];
  let left = beside.map((_, i) => i);
  while (left.length > 0) {
    const conflicts = left.map(
      (i) => left.filter((j) => i !== j && ((beside[i] >> BigInt(j)) & 1n) === 0n).length,
    );
    let first = 0;
    left.forEach((candidate, i) => {
      if (
        conflicts[i] < conflicts[first] ||
        (conflicts[i] === conflicts[first] && probabilities[candidate] > probabilities[left[first]])
      )
        first = i;
    });
    const chosen = left[first];
    members.push(chosen);
    left = left.filter((candidate) => ((beside[chosen] >> BigInt(candidate)) & 1n) === 1n);
  }
  return { members, probability: members.reduce((sum, i) => sum + probabilities[i], 0) };
}

/** Sorts sets: the more probable ones last, so that they are tried first. */
const tryOrder = (a: SufficientSet, b: SufficientSet): number =>
  a.probability - b.probability || (a.set < b.set ? -1 : 1);

/** The largest choice that contains `first`, and its sum of probabilities. */
function choiceWith(
  first: SufficientSet,
  found: readonly SufficientSet[],
  maxOverlap: number,
  isExact: boolean,
): { sets: SufficientSet[]; probability: number } {
  const candidates = found.filter(
    (each) => each !== first && overlapOf(each.set, first.set) <= maxOverlap,
  );
  const beside = compatibility(
    candidates.map(({ set }) => set),
    maxOverlap,
  );
  const probabilities = candidates.map(({ probability }) => probability);
  const choose = isExact ? largestChoice : greedyChoice;
  const { members, probability } = choose(beside, probabilities);
  return {
    sets: [first, ...inOrder(members.map((i) => at(candidates, i)))],
    probability: first.probability + probability,
  };
}

/**
 * The largest choice of explanations that contains one of the smallest, and in which no two share
 * more than `maxOverlap` patches. Of several largest choices it returns the most probable one. The
 * smallest set comes first. Above `exactUpTo` candidates the choice is greedy.
 */
export function diverseSubset(
  found: readonly SufficientSet[],
  maxOverlap: number,
  exactUpTo: number = EXACT_CANDIDATES,
): DiverseSubset {
  const candidates = [...found].sort(tryOrder);
  const exact = candidates.length <= exactUpTo;
  const least = Math.min(...candidates.map(({ set }) => sizeOfSet(set)));
  let best: { sets: SufficientSet[]; probability: number } = { sets: [], probability: 0 };
  for (const first of candidates.filter(({ set }) => sizeOfSet(set) === least)) {
    const choice = choiceWith(first, candidates, maxOverlap, exact);
    const more = choice.sets.length - best.sets.length;
    if (more > 0 || (more === 0 && choice.probability > best.probability)) best = choice;
  }
  return { sets: best.sets, exact };
}
