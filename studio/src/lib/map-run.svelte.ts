import type { Explanation, PartialMap } from 'fovea/web';
import { type Explainer, FoveaError } from 'fovea/worker';
import type { ShownMap } from './colour.ts';
import type { Picture } from './pictures.ts';

/** What a map is asked for. */
export interface MapRequest {
  readonly method: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly target: number;
  /** A class to compare with: why `target`, and not this one. */
  readonly against?: number;
  readonly seed: number;
  readonly randomizedLayers?: number;
}

/** Samples of a method on its way, for charts. */
export interface Sample {
  readonly calls: number;
  readonly error: number | null;
}

/** What went wrong, in a sentence. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** A map on its way: it can be watched, stopped and cancelled. */
export class MapRun {
  status = $state<'waiting' | 'busy' | 'done' | 'failed' | 'cancelled'>('waiting');
  share = $state(0);
  /** What went wrong, in a sentence. */
  problem = $state<string>();
  explanation = $state.raw<Explanation>();
  /** The map so far, of a method that samples. */
  partial = $state.raw<PartialMap>();
  samples = $state.raw<readonly Sample[]>([]);
  readonly request: MapRequest;
  readonly #signed: boolean;
  readonly #controller = new AbortController();
  #isAccepted = false;
  #finish: () => void = () => {};
  /** Resolves when the run is over, however it ended. */
  readonly over = new Promise<void>((resolve) => {
    this.#finish = resolve;
  });

  constructor(request: MapRequest, signed: boolean) {
    this.request = request;
    this.#signed = signed || request.against !== undefined;
  }

  get isOver(): boolean {
    return this.status !== 'waiting' && this.status !== 'busy';
  }

  /** What there is to show: the final map, or the map so far. */
  get shown(): ShownMap | undefined {
    const { explanation, partial } = this;
    if (explanation) return { map: explanation.map, signed: explanation.signed };
    return partial && { map: partial.map, signed: this.#signed };
  }

  /** The standard error of what is shown, if the method knows it. */
  get error(): ShownMap | undefined {
    const { explanation, partial } = this;
    const map = explanation ? explanation.standardError : partial?.standardError;
    return map && { map, signed: false };
  }

  async run(explainer: Explainer, picture: Picture): Promise<void> {
    if (this.isOver) return;
    this.status = 'busy';
    const { method, options, target, against, seed, randomizedLayers } = this.request;
    try {
      const found = await explainer.explain(picture.image, {
        method: method as 'rise',
        options,
        target: against === undefined ? target : { class: target, against },
        seed,
        randomizedLayers,
        imageName: picture.name,
        signal: this.#controller.signal,
        onProgress: (share) => {
          this.share = share;
        },
        onMap: (partial) => this.#receive(partial),
      });
      this.explanation = found;
      this.status = 'done';
    } catch (error) {
      const isCancelled = error instanceof FoveaError && error.code === 'cancelled';
      this.status = isCancelled ? 'cancelled' : 'failed';
      if (!isCancelled) this.problem = messageOf(error);
    }
    this.#finish();
  }

  #receive(partial: PartialMap): boolean {
    if (partial.target.index === this.request.target) {
      this.partial = partial;
      const { relativeError } = partial.detail;
      const error = typeof relativeError === 'number' ? relativeError : null;
      this.samples = [...this.samples, { calls: partial.calls, error }];
    }
    return this.#isAccepted;
  }

  /** Takes the map as it is: the method ends at its next step. */
  accept(): void {
    this.#isAccepted = true;
  }

  cancel(): void {
    if (this.isOver) return;
    this.#controller.abort();
    if (this.status === 'waiting') {
      this.status = 'cancelled';
      this.#finish();
    }
  }
}

/** The maps of one model and one picture. One method runs at a time. */
export class Maps {
  #known = new Map<string, MapRun>();
  #queue: Promise<void> = Promise.resolve();

  /** A map: the one that was made already, or a new one that waits for its turn. */
  get(request: MapRequest, explainer?: Explainer, picture?: Picture): MapRun {
    const key = JSON.stringify(request);
    const known = this.#known.get(key);
    if (known && known.status !== 'cancelled') return known;
    const method = explainer?.model.methods.find(({ name }) => name === request.method);
    const run = new MapRun(request, method?.signed ?? false);
    this.#known.set(key, run);
    if (explainer && picture) this.#queue = this.#queue.then(() => run.run(explainer, picture));
    return run;
  }

  /** Ends all of them: the model or the picture changes. */
  clear(): void {
    for (const run of this.#known.values()) run.cancel();
    this.#known = new Map();
  }
}
