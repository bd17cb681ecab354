import {
  type Classification,
  createExplainer,
  type Explainer,
  type ExplainerOptions,
  type MethodSummary,
  type ModelSummary,
} from 'fovea/worker';
import { FIRST_LOOK, type Look } from './colour.ts';
import { storedSelfTest, storeSelfTest } from './device.ts';
import { sortFiles } from './files.ts';
import { type MapRequest, type MapRun, Maps, messageOf } from './map-run.svelte.ts';
import { BUILT_IN, type ModelSource, modelAt, modelOfFiles } from './models.ts';
import { openScene, type Picture, readPicture, type Scene, scenes } from './pictures.ts';
import { PAGE_OPTIONS } from './words.ts';

/** What the user knows better than the files of the model. */
export type Corrections = Pick<ExplainerOptions, 'preprocessing' | 'labels' | 'output'>;

/** The page keeps so many pictures of the user. */
const MOST_PICTURES = 500;

/** Everything that the page shows: one picture, one model, and the maps made of them. */
class Studio {
  model = $state.raw<ModelSource>(BUILT_IN[0] as ModelSource);
  corrections = $state.raw<Corrections>({});
  explainer = $state.raw<Explainer>();
  /** Share of the model that has arrived, while it is loaded. */
  loading = $state<number>();
  modelProblem = $state<string>();
  picture = $state.raw<Picture>();
  pictureProblem = $state<string>();
  /** Share of many pictures that has been read. */
  reading = $state<number>();
  /** All pictures that the user brought, for the view of many pictures. */
  gallery = $state.raw<readonly Picture[]>([]);
  scores = $state.raw<Classification>();
  target = $state<number>();
  against = $state<number>();
  method = $state('grad-cam');
  /** Whether the user picked the method; until then the page goes from quick to careful. */
  isMethodChosen = $state(false);
  seed = $state(0);
  /** Options that differ from the defaults, by method. */
  options = $state<Record<string, Record<string, unknown>>>({});
  look = $state.raw<Look>(FIRST_LOOK);
  /** Where the pointer is, as shares of the picture's width and height: the same on all maps. */
  cursor = $state.raw<{ readonly x: number; readonly y: number }>();
  /** Counts how often the explainer has loaded its model again, because its device was lost. */
  #reloads = $state(0);
  readonly #maps = new Maps();
  /** Counts loads and pictures, so that late answers are recognized. */
  #generation = 0;

  get summary(): ModelSummary | undefined {
    return this.#reloads >= 0 ? this.explainer?.model : undefined;
  }

  get methods(): readonly MethodSummary[] {
    return this.summary?.methods ?? [];
  }

  choose(method: string): void {
    this.isMethodChosen = true;
    this.method = method;
  }

  label(index: number | undefined): string {
    return index === undefined ? '' : (this.summary?.labels[index] ?? String(index));
  }

  probability(index: number | undefined): number | undefined {
    return index === undefined ? undefined : this.scores?.probabilities[index];
  }

  methodNamed(name: string): MethodSummary | undefined {
    return this.methods.find((method) => method.name === name);
  }

  /** Loads a model in a worker of its own; the worker before it ends. */
  async load(model: ModelSource, corrections: Corrections = {}): Promise<void> {
    const generation = ++this.#generation;
    this.#forget();
    this.explainer?.dispose();
    this.explainer = undefined;
    this.scores = undefined;
    this.model = model;
    this.corrections = corrections;
    this.modelProblem = undefined;
    this.loading = 0;
    try {
      const explainer = await createExplainer({
        ...corrections,
        model: model.source,
        // The models of the page are small: the processor starts sooner.
        ...(!model.isBuiltIn && { name: model.name, device: 'auto', selfTest: storedSelfTest() }),
        onReload: () => this.#reloads++,
        onProgress: (share) => {
          if (generation === this.#generation) this.loading = share;
        },
      });
      if (generation !== this.#generation) return explainer.dispose();
      this.explainer = explainer;
      this.loading = undefined;
      storeSelfTest(explainer.model.device);
      if (this.methodNamed(this.method)?.obstacle) this.method = this.#firstMethod();
      await this.#classify();
    } catch (error) {
      if (generation !== this.#generation) return;
      this.loading = undefined;
      this.modelProblem = messageOf(error);
    }
  }

  /** A cheap method that the model can run. */
  #firstMethod(): string {
    const wanted = ['grad-cam', 'occlusion'];
    return wanted.find((name) => !this.methodNamed(name)?.obstacle) ?? 'occlusion';
  }

  async show(picture: Picture): Promise<void> {
    this.#forget();
    this.picture = picture;
    this.pictureProblem = undefined;
    this.scores = undefined;
    await this.#classify();
  }

  async showScene(scene: Scene): Promise<void> {
    await this.show(await openScene(scene));
  }

  /** Reads files that were dropped, pasted or chosen: models, pictures, or both. */
  async open(files: readonly File[]): Promise<void> {
    const { pictures, model } = sortFiles(files);
    if (pictures.length > 0) await this.#openPictures(pictures);
    if (model.length > 0) await this.load(modelOfFiles(model));
  }

  async #openPictures(files: readonly File[]): Promise<void> {
    const read: Picture[] = [];
    let problem: string | undefined;
    for (const [i, file] of files.slice(0, MOST_PICTURES).entries()) {
      this.reading = files.length > 4 ? i / files.length : undefined;
      try {
        read.push(await readPicture(file, file.name));
      } catch (error) {
        problem = messageOf(error);
      }
    }
    this.reading = undefined;
    await this.add(read);
    this.pictureProblem = problem;
  }

  /** Takes pictures into the gallery, and shows the first. */
  async add(pictures: readonly Picture[]): Promise<void> {
    const [first] = pictures;
    if (!first) return;
    this.gallery = [...pictures, ...this.gallery].slice(0, MOST_PICTURES);
    await this.show(first);
  }

  async #classify(): Promise<void> {
    const { explainer, picture } = this;
    if (!explainer || !picture) return;
    const generation = ++this.#generation;
    try {
      const scores = await explainer.classify(picture.image);
      if (generation !== this.#generation) return;
      this.scores = scores;
      this.against = undefined;
      this.target = scores.ranking[0];
    } catch (error) {
      if (generation === this.#generation) this.modelProblem = messageOf(error);
    }
  }

  /** The options that a method gets: what the page and the user set. */
  optionsOf(method: string): Record<string, unknown> {
    return { ...PAGE_OPTIONS[method], ...$state.snapshot(this.options[method]) };
  }

  /** The request for the map that is looked at. */
  get request(): MapRequest | undefined {
    const { method, target, against, seed } = this;
    if (target === undefined || !this.scores) return undefined;
    return { method, options: this.optionsOf(method), target, against, seed };
  }

  /** A map of the picture by the model. */
  map(request: MapRequest): MapRun {
    return this.#maps.get(request, this.explainer, this.picture);
  }

  /** Ends everything that runs: the model or the picture changes. */
  #forget(): void {
    this.#maps.clear();
    this.target = undefined;
    this.against = undefined;
    if (!this.isMethodChosen) this.method = 'grad-cam';
  }

  /** The state of demo content as part of an address. */
  get link(): string | undefined {
    const { model, picture, method, target } = this;
    if (!model.isBuiltIn || !picture?.scene) return undefined;
    const state = new URLSearchParams({ model: model.name, scene: picture.scene, method });
    if (target !== undefined) state.set('class', String(target));
    return `${location.href.split('#')[0]}#${state}`;
  }

  /** Opens what the address asks for; the first scene and the honest model by default. */
  async start(hash: string): Promise<void> {
    const wanted = new URLSearchParams(hash.replace(/^#/, ''));
    const given = wanted.get('model');
    const model =
      BUILT_IN.find(({ name }) => name === given) ??
      (given ? modelAt(given) : (BUILT_IN[0] as ModelSource));
    const list = await scenes();
    const scene = list.find(({ file }) => file === wanted.get('scene')) ?? list[0];
    const method = wanted.get('method');
    if (method) this.choose(method);
    const loaded = this.load(model);
    if (scene) await this.showScene(scene);
    await loaded;
    const target = Number(wanted.get('class') ?? Number.NaN);
    if (Number.isInteger(target) && this.probability(target) !== undefined) this.target = target;
  }
}

export const studio = new Studio();
