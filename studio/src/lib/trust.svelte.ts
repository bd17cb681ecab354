import type { Tensor } from 'fovea/web';
import type { Explainer, WorkerMeasureRequest } from 'fovea/worker';
import { type MapRun, messageOf } from './map-run.svelte.ts';
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

/** Insertion and deletion in 20 steps over one color, so that both hide and show the same. */
const CURVE = { preset: 'torch-cam' } as const;

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
      await this.#add(explainer, picture, request, explanation.map, false);
      for (const method of CONTROLS) {
        const control = { method, options: {}, target: request.target, seed: 0 };
        const { signal } = this.#controller;
        const { map } = await explainer.explain(picture.image, { ...control, signal });
        await this.#add(explainer, picture, control, map, true);
      }
      tested.set(run, this.rows);
      this.isDone = true;
    } catch (error) {
      if (!this.#isCancelled) this.problem = messageOf(error);
    }
  }

  /** The scores of a map, one after the other, so that each is shown as soon as it is known. */
  async #add(
    explainer: Explainer,
    { image }: Picture,
    { method, options, target, seed }: MapRun['request'],
    map: Tensor,
    isControl: boolean,
  ): Promise<void> {
    const { signal } = this.#controller;
    const measure = async (metric: string, more: Partial<WorkerMeasureRequest>) => {
      const { value } = await explainer.measure(image, metric, { map, target, signal, ...more });
      return value ?? undefined;
    };
    const name = studio.methodNamed(method)?.title ?? method;
    let row: TrustRow = { name, isControl };
    const before = this.rows;
    const show = (more: Partial<TrustRow>) => {
      row = { ...row, ...more };
      this.rows = [...before, row];
    };
    const insertion = await measure('insertion', CURVE);
    const deletion = await measure('deletion', CURVE);
    show({ gap: (insertion ?? 0) - (deletion ?? 0) });
    show({ single: await measure('single-deletion', { options: { grid: GRID } }) });
    if (explainer.model.weightLayers.length === 0) return;
    const made = { method, options, seed };
    const alike = await measure('model-randomization', { made, options: { steps: 1 } });
    show({ change: 1 - (alike ?? 0) });
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#controller.abort();
  }
}
