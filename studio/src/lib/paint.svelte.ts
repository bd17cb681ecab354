import type { Classification } from 'fovea/worker';
import { messageOf } from './map-run.svelte.ts';
import { contextOf, createCanvas, fromImageData, type Picture } from './pictures.ts';
import { studio } from './studio.svelte.ts';

/** What the brush does to the places it touches. */
export type Effect = 'hide' | 'blur' | 'replace' | 'restore';

/** An experiment: the picture after some strokes, and what the model said. */
export interface Trial {
  readonly words: string;
  readonly canvas: HTMLCanvasElement;
  readonly scores: Classification;
}

/** Longest side of the copy that is painted on. */
const MOST = 640;
const MOST_UNDO = 40;

/** A copy of a canvas. */
function copyOf(source: HTMLCanvasElement): HTMLCanvasElement {
  const copy = createCanvas(source.width, source.height);
  contextOf(copy).drawImage(source, 0, 0);
  return copy;
}

/** The mean color of a picture, as CSS. */
function meanColor(canvas: HTMLCanvasElement): string {
  const { data } = contextOf(canvas).getImageData(0, 0, canvas.width, canvas.height);
  const sums = [0, 0, 0];
  for (let i = 0; i < data.length; i += 4)
    for (let c = 0; c < 3; c++) sums[c] = (sums[c] ?? 0) + (data[i + c] ?? 0);
  return `rgb(${sums.map((sum) => Math.round((4 * sum) / data.length)).join(' ')})`;
}

/** A picture that is painted on, with the model's answer to what it shows now. */
export class Painting {
  readonly width: number;
  readonly height: number;
  /** What the picture shows now. */
  readonly canvas: HTMLCanvasElement;
  readonly original: HTMLCanvasElement;
  /** Counts changes, so that what is drawn can follow. */
  version = $state(0);
  before = $state.raw<Classification>();
  after = $state.raw<Classification>();
  trials = $state.raw<readonly Trial[]>([]);
  problem = $state<string>();
  #undo = $state.raw<readonly HTMLCanvasElement[]>([]);
  #redo = $state.raw<readonly HTMLCanvasElement[]>([]);
  readonly #layers = new Map<Effect, HTMLCanvasElement>();
  #other: HTMLCanvasElement | undefined;
  #isAsking = false;
  #isStale = false;

  constructor(picture: Picture) {
    const { width, height } = picture.image;
    const scale = Math.min(1, MOST / Math.max(width, height));
    this.width = Math.max(1, Math.round(width * scale));
    this.height = Math.max(1, Math.round(height * scale));
    this.original = createCanvas(this.width, this.height);
    contextOf(this.original).drawImage(picture.canvas, 0, 0, this.width, this.height);
    this.canvas = copyOf(this.original);
    void this.ask();
  }

  get canUndo(): boolean {
    return this.#undo.length > 0;
  }

  get canRedo(): boolean {
    return this.#redo.length > 0;
  }

  /** The picture that `replace` takes its pixels from. */
  replaceWith(picture: Picture): void {
    this.#other = picture.canvas;
    this.#layers.delete('replace');
  }

  /** The picture as it would look if an effect was everywhere. */
  #layer(effect: Effect): HTMLCanvasElement {
    const known = this.#layers.get(effect);
    if (known) return known;
    const layer = copyOf(this.original);
    const context = contextOf(layer);
    const { width, height } = this;
    if (effect === 'hide') {
      context.fillStyle = meanColor(this.original);
      context.fillRect(0, 0, width, height);
    } else if (effect === 'blur') {
      context.filter = `blur(${Math.round(Math.min(width, height) / 16)}px)`;
      context.drawImage(this.original, 0, 0);
    } else if (effect === 'replace') {
      if (this.#other) context.drawImage(this.#other, 0, 0, width, height);
      else {
        context.scale(-1, 1);
        context.drawImage(this.original, -width, 0);
      }
    }
    this.#layers.set(effect, layer);
    return layer;
  }

  /** Begins a change that can be undone. */
  begin(): void {
    this.#undo = [...this.#undo, copyOf(this.canvas)].slice(-MOST_UNDO);
    this.#redo = [];
  }

  /** Puts an effect where `shape` draws. */
  apply(effect: Effect, shape: (context: CanvasRenderingContext2D) => void): void {
    const stencil = createCanvas(this.width, this.height);
    const context = contextOf(stencil);
    context.fillStyle = '#000';
    context.strokeStyle = '#000';
    shape(context);
    context.globalCompositeOperation = 'source-in';
    context.drawImage(this.#layer(effect), 0, 0);
    contextOf(this.canvas).drawImage(stencil, 0, 0);
    this.version++;
    void this.ask();
  }

  /** Hides everything, so that the brush can bring back what is enough. */
  hideAll(): void {
    this.begin();
    contextOf(this.canvas).drawImage(this.#layer('hide'), 0, 0);
    this.version++;
    void this.ask();
  }

  #swap(from: readonly HTMLCanvasElement[]): readonly HTMLCanvasElement[] {
    const last = from.at(-1);
    if (last) contextOf(this.canvas).drawImage(last, 0, 0);
    this.version++;
    void this.ask();
    return from.slice(0, -1);
  }

  undo(): void {
    this.#redo = [...this.#redo, copyOf(this.canvas)];
    this.#undo = this.#swap(this.#undo);
  }

  redo(): void {
    this.#undo = [...this.#undo, copyOf(this.canvas)];
    this.#redo = this.#swap(this.#redo);
  }

  reset(): void {
    this.begin();
    contextOf(this.canvas).drawImage(this.original, 0, 0);
    this.version++;
    void this.ask();
  }

  /** Keeps what the picture shows now in the list of trials. */
  keep(words: string): void {
    if (this.after)
      this.trials = [{ words, canvas: copyOf(this.canvas), scores: this.after }, ...this.trials];
  }

  /** Goes back to a trial. */
  show(trial: Trial): void {
    this.begin();
    contextOf(this.canvas).drawImage(trial.canvas, 0, 0);
    this.version++;
    void this.ask();
  }

  /** Asks the model what it sees now. While it thinks, only the latest change waits. */
  async ask(): Promise<void> {
    if (this.#isAsking) {
      this.#isStale = true;
      return;
    }
    const { explainer } = studio;
    if (!explainer) return;
    this.#isAsking = true;
    try {
      do {
        this.#isStale = false;
        const pixels = contextOf(this.canvas).getImageData(0, 0, this.width, this.height);
        const scores = await explainer.classify(fromImageData(pixels));
        this.before ??= scores;
        this.after = scores;
      } while (this.#isStale);
      this.problem = undefined;
    } catch (error) {
      this.problem = messageOf(error);
    }
    this.#isAsking = false;
  }
}
