import { FoveaError } from '../../errors.ts';
import { upsamplingMatrix } from '../../image/upsampling.ts';
import { type BaselineName, createBaseline } from '../../model/input/baseline.ts';
import type { Model, RunOptions } from '../../model/model.ts';
import type { Grids } from '../../model/perturbation.ts';
import { at } from '../../tensor/at.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { allPatches, type PatchSet, patchesOf, patchSetOf } from './patch-set.ts';

/**
 * `soft`: overlapping bilinear patches with aligned corners, as in the authors' code. `hard`:
 * tiles.
 */
export type PatchShape = 'soft' | 'hard';

/** How a picture is divided into patches, and what replaces hidden patches. */
export interface PatchLayout {
  /** Rows and columns. */
  readonly grid: readonly [rows: number, columns: number];
  readonly patches: PatchShape;
  readonly baseline: BaselineName;
}

/** The options of `createPatchScorer`. */
export interface PatchScorerOptions extends PatchLayout, Pick<RunOptions, 'batchSize' | 'signal'> {
  /** Class index. */
  readonly target: number;
  /** Probabilities that are already known; they cost no model call. */
  readonly known?: ReadonlyMap<PatchSet, number>;
  /** The largest number of sets that `room` allows; no limit if not given. */
  readonly maxCalls?: number;
}

/**
 * Returns the probability of one class for the picture with only some patches shown. Each set is
 * evaluated only once.
 */
export interface PatchScorer {
  readonly layout: PatchLayout;
  /** Number of patches. */
  readonly count: number;
  /**
   * The probability for each set, in order, 0 … 1. All sets that are not known yet are evaluated in
   * one batch.
   */
  score(sets: readonly PatchSet[]): Promise<number[]>;
  /**
   * The probability if exactly these patches are shown, 0 … 1. It costs one model call, or none if
   * the set is known.
   * @throws FoveaError `usage` for a patch that does not exist.
   */
  probability(patches: readonly number[]): Promise<number>;
  /** The number of sets that were evaluated so far. */
  evaluated(): number;
  /**
   * How many sets, counted from the first, can be scored such that `reserve` further sets still fit
   * into `maxCalls`. Known sets cost nothing.
   */
  room(sets: readonly PatchSet[], reserve?: number): number;
  /** Whether `room` has ever returned fewer sets than it was asked for. */
  exhausted(): boolean;
}

/**
 * The matrices that upsample a grid to the picture: rows [height, grid rows] and columns [width,
 * grid columns].
 */
export function patchUpsampling(
  { grid, patches }: PatchLayout,
  height: number,
  width: number,
): { rows: Tensor; columns: Tensor } {
  const mode = patches === 'soft' ? 'align-corners' : 'nearest';
  return {
    rows: upsamplingMatrix(mode, grid[0], height),
    columns: upsamplingMatrix(mode, grid[1], width),
  };
}

/** Sets of patches as perturbations of a picture x: x ⊙ up(set) + baseline ⊙ (1 - up(set)). */
export function patchGrids(
  sets: readonly PatchSet[],
  layout: PatchLayout,
  height: number,
  width: number,
): Grids {
  const [rows, columns] = layout.grid;
  const cells = new Float32Array(sets.length * rows * columns);
  sets.forEach((set, n) => {
    for (const patch of patchesOf(set)) cells[n * rows * columns + patch] = 1;
  });
  return {
    kind: 'grids',
    grids: tensor([sets.length, rows, columns], cells),
    shifts: new Int32Array(2 * sets.length),
    ...patchUpsampling(layout, height, width),
  };
}

function checkPatches(patches: readonly number[], count: number): void {
  const wrong = patches.find((patch) => !(Number.isInteger(patch) && patch >= 0 && patch < count));
  if (wrong !== undefined)
    throw new FoveaError(
      'usage',
      `patch ${wrong} does not exist: expected whole numbers from 0 to ${count - 1}`,
    );
}

/** @throws FoveaError `usage` if a direction has more patches than pixels. */
function checkGrid([rows, columns]: PatchLayout['grid'], height: number, width: number): void {
  if (rows <= height && columns <= width) return;
  throw new FoveaError(
    'usage',
    `a grid of ${rows}×${columns} patches does not fit an input of ${height}×${width} pixels: ` +
      `use fewer patches`,
  );
}

/** Evaluates the probabilities of sets in one batch of model calls. */
type Evaluate = (sets: readonly PatchSet[]) => Promise<Float32Array>;

function evaluator(model: Model, input: Tensor, options: PatchScorerOptions): Evaluate {
  const { target, batchSize, signal } = options;
  const [, , height = 0, width = 0] = input.shape;
  checkGrid(options.grid, height, width);
  const baseline = createBaseline(options.baseline, model, input);
  return async (sets) => {
    const perturbation = patchGrids(sets, options, height, width);
    const targets = [target];
    const request = { input, baseline, perturbation, targets, batchSize, signal };
    return (await model.perturb(request)).data;
  };
}

/** The known probabilities, and the number of further sets that may be evaluated. */
class Memory {
  exhausted = false;
  private readonly known: Map<PatchSet, number>;
  private readonly before: number;
  private readonly maxCalls: number;

  constructor(known: ReadonlyMap<PatchSet, number>, maxCalls: number) {
    this.known = new Map(known);
    this.before = known.size;
    this.maxCalls = maxCalls;
  }

  evaluated(): number {
    return this.known.size - this.before;
  }

  /** The probabilities of sets. Unknown sets are evaluated first. */
  async probabilities(sets: readonly PatchSet[], evaluate: Evaluate): Promise<number[]> {
    const unknown = [...new Set(sets)].filter((set) => !this.known.has(set));
    if (unknown.length > 0) {
      const values = await evaluate(unknown);
      for (const [i, set] of unknown.entries()) this.known.set(set, at(values, i));
    }
    return sets.map((set) => this.known.get(set) as number);
  }

  room(sets: readonly PatchSet[], reserve = 0): number {
    const left = this.maxCalls - this.evaluated() - reserve;
    const unknown = new Set<PatchSet>();
    const fitting = sets.findIndex((set) => !this.known.has(set) && unknown.add(set).size > left);
    if (fitting < 0) return sets.length;
    this.exhausted = true;
    return fitting;
  }
}

/**
 * Creates a scorer of sets of patches for the preprocessed picture `input` [1, C, H, W].
 * @throws FoveaError `usage` if the grid has more patches than pixels in a direction.
 */
export function createPatchScorer(
  model: Model,
  input: Tensor,
  options: PatchScorerOptions,
): PatchScorer {
  const { grid, patches, baseline, known, maxCalls = Number.POSITIVE_INFINITY } = options;
  const count = grid[0] * grid[1];
  const evaluate = evaluator(model, input, options);
  const memory = new Memory(known ?? new Map(), maxCalls);
  const score = (sets: readonly PatchSet[]) => memory.probabilities(sets, evaluate);
  return {
    layout: { grid, patches, baseline },
    count,
    score,
    probability: async (shown) => {
      checkPatches(shown, count);
      const [probability] = await score([patchSetOf(shown)]);
      return probability as number;
    },
    evaluated: () => memory.evaluated(),
    room: (sets, reserve) => memory.room(sets, reserve),
    exhausted: () => memory.exhausted,
  };
}

/**
 * The probability of the whole picture, computed through the same graph as the probabilities of its
 * parts.
 */
export async function wholeProbability(scorer: PatchScorer): Promise<number> {
  return at(await scorer.score([allPatches(scorer.count)]), 0);
}
