import { type Classification, createExplainer, type Explainer } from 'fovea/worker';
import { type MapRequest, type MapRun, Maps, messageOf } from './map-run.svelte.ts';
import type { ModelSource } from './models.ts';
import type { Picture } from './pictures.ts';

/** A second model, in a worker of its own, that looks at the same picture. */
export class Companion {
  readonly model: ModelSource;
  explainer = $state.raw<Explainer>();
  scores = $state.raw<Classification>();
  /** Share of the model that has arrived, while it is loaded. */
  loading = $state<number | undefined>(0);
  problem = $state<string>();
  #picture: Picture | undefined;
  readonly #maps = new Maps();
  readonly #controller = new AbortController();

  constructor(model: ModelSource) {
    this.model = model;
    void this.#load();
  }

  async #load(): Promise<void> {
    const { model } = this;
    const { signal } = this.#controller;
    try {
      const explainer = await createExplainer({
        model: model.source,
        ...(model.isBuiltIn ? {} : { name: model.name }),
        signal,
        onProgress: (share) => {
          this.loading = share;
        },
      });
      if (signal.aborted) return explainer.dispose();
      this.explainer = explainer;
      if (this.#picture) await this.#classify(this.#picture);
    } catch (error) {
      if (!signal.aborted) this.problem = messageOf(error);
    }
    this.loading = undefined;
  }

  label(index: number | undefined): string {
    return index === undefined ? '' : (this.explainer?.model.labels[index] ?? String(index));
  }

  /** Looks at a picture; maps of the picture before are cancelled. */
  show(picture: Picture | undefined): void {
    if (picture === this.#picture) return;
    this.#maps.clear();
    this.#picture = picture;
    this.scores = undefined;
    if (picture && this.explainer) void this.#classify(picture);
  }

  async #classify(picture: Picture): Promise<void> {
    try {
      const scores = await this.explainer?.classify(picture.image);
      if (picture === this.#picture) this.scores = scores;
    } catch (error) {
      if (picture === this.#picture) this.problem = messageOf(error);
    }
  }

  /** A map of the picture by this model. */
  map(request: MapRequest): MapRun {
    return this.#maps.get(request, this.explainer, this.#picture);
  }

  /** Ends its worker. */
  dispose(): void {
    this.#controller.abort();
    this.#maps.clear();
    this.explainer?.dispose();
  }
}
