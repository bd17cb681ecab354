import type { Tensor } from 'fovea/web';
import type { Explainer } from 'fovea/worker';
import { type MapRun, messageOf } from './map-run.svelte.ts';
import { likeness, pixelOrder, ranksOf, spearman, sumsOver, tiles } from './maths.ts';
import type { Picture } from './pictures.ts';
import { studio } from './studio.svelte.ts';

/** The numbers of one map. */
export interface TrustRow {
  readonly name: string;
  readonly isControl: boolean;
  /** Area under the insertion curve minus that under the deletion curve. */
  readonly gap?: number;
  /** Rank correlation of the map with what hiding one tile costs. */
  readonly single?: number;
  /** How much the map changes if the model's weights are random: 1 minus the rank correlation. */
  readonly change?: number;
}

/** The tests of a map, in plain words. */
export const TESTS = [
  {
    key: 'gap',
    title: 'Finds what matters',
    words: 'Show the bright places first, then hide them first: how far apart are the two answers?',
  },
  {
    key: 'single',
    title: 'Ranks the places',
    words: 'Hide one tile at a time: does the map put the costly tiles first?',
  },
  {
    key: 'change',
    title: 'Depends on the model',
    words: 'Give the model random numbers: does the map change?',
  },
] as const;

export type TestKey = (typeof TESTS)[number]['key'];

/** A map must change by this much if the model's weights are random. */
export const LEAST_CHANGE = 0.3;

/** A map is clearly better than a control if its number is larger by this much. */
const MARGIN = 0.05;

/** Whether a map is clearly better than every control; undefined if that is not known. */
export function isBetter(rows: readonly TrustRow[], key: TestKey): boolean | undefined {
  const value = rows.find(({ isControl }) => !isControl)?.[key];
  if (value === undefined) return undefined;
  if (key === 'change') return value > LEAST_CHANGE;
  const others = rows.flatMap((row) => (row.isControl ? (row[key] ?? []) : []));
  return others.length < CONTROLS.length ? undefined : value > Math.max(...others) + MARGIN;
}

const tested = new WeakMap<MapRun, readonly TrustRow[]>();

/** The numbers of a map that was tested; undefined if it was not. */
export const trustOf = (run: MapRun): readonly TrustRow[] | undefined => tested.get(run);

/** Tiles along each side that are hidden one by one. */
const GRID = 7;
const STEPS = 20;

const CONTROLS = ['random', 'centre'] as const;

/** Three numbers for a map, and the same numbers for maps that know nothing. */
export class TrustRun {
  rows = $state.raw<readonly TrustRow[]>([]);
  isDone = $state(false);
  problem = $state<string>();
  #isCancelled = false;
  readonly #controller = new AbortController();

  async run(explainer: Explainer, picture: Picture, run: MapRun): Promise<void> {
    try {
      await run.over;
      const { explanation } = run;
      if (!explanation) return;
      const { request } = run;
      const losses = await this.#losses(explainer, picture, request.target);
      await this.#add(explainer, picture, request, explanation.map, losses, false);
      for (const method of CONTROLS) {
        const control = { method, options: {}, target: request.target, seed: 0 };
        const { map } = await explainer.explain(picture.image, {
          ...control,
          signal: this.#signal,
        });
        await this.#add(explainer, picture, control, map, losses, true);
      }
      tested.set(run, this.rows);
      this.isDone = true;
    } catch (error) {
      if (!this.#isCancelled) this.problem = messageOf(error);
    }
  }

  get #signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What hiding each tile alone costs. */
  async #losses(explainer: Explainer, { image }: Picture, target: number): Promise<Float64Array> {
    const [height, width] = explainer.model.preprocessing.size;
    const bits = new Float32Array((GRID * GRID + 1) * GRID * GRID).fill(1);
    for (let tile = 0; tile < GRID * GRID; tile++) bits[tile * GRID * GRID + tile] = 0;
    const { data } = await explainer.perturb(image, {
      perturbation: {
        kind: 'segments',
        labels: tiles(height, width, GRID, GRID),
        bits: { shape: [GRID * GRID + 1, GRID * GRID], data: bits },
      },
      targets: [target],
      signal: this.#signal,
    });
    const whole = data[GRID * GRID] ?? 0;
    return Float64Array.from({ length: GRID * GRID }, (_, tile) => whole - (data[tile] ?? 0));
  }

  async #gap(explainer: Explainer, { image }: Picture, map: Tensor, target: number) {
    const ranks = ranksOf(pixelOrder(map));
    const total = ranks.length;
    const counts = Array.from({ length: STEPS + 1 }, (_, i) => Math.round((total * i) / STEPS));
    const bounds = [
      ...counts.flatMap((count) => [0, count]),
      ...counts.flatMap((count) => [count, total]),
    ];
    const { data } = await explainer.perturb(image, {
      perturbation: { kind: 'ranks', ranks, bounds: Int32Array.from(bounds) },
      targets: [target],
      signal: this.#signal,
    });
    let gap = 0;
    for (let i = 0; i <= STEPS; i++)
      gap += ((data[i] ?? 0) - (data[STEPS + 1 + i] ?? 0)) * (i % STEPS === 0 ? 0.5 : 1);
    return gap / STEPS;
  }

  async #add(
    explainer: Explainer,
    picture: Picture,
    request: MapRun['request'],
    map: Tensor,
    losses: Float64Array,
    isControl: boolean,
  ): Promise<void> {
    const { method, target } = request;
    const [height, width] = explainer.model.preprocessing.size;
    const name = studio.methodNamed(method)?.title ?? method;
    const sums = sumsOver(tiles(height, width, GRID, GRID), GRID * GRID, map.data);
    let row: TrustRow = { name, isControl, single: spearman(sums, losses) };
    const before = this.rows;
    const show = (more: Partial<TrustRow>) => {
      row = { ...row, ...more };
      this.rows = [...before, row];
    };
    show({ gap: await this.#gap(explainer, picture, map, target) });
    const layers = explainer.model.weightLayers.length;
    if (layers === 0) return;
    const random = await explainer.explain(picture.image, {
      method: method as 'rise',
      options: request.options,
      ...{ target, seed: request.seed, randomizedLayers: layers, signal: this.#signal },
    });
    show({ change: 1 - likeness(map, random.map) });
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#controller.abort();
  }
}
