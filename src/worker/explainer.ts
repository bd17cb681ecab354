/// <reference lib="esnext.disposable" preserve="true" />
import { FoveaError } from '../errors.ts';
import type { Explanation } from '../explanation.ts';
import type { Image } from '../image/image.ts';
import type { Score } from '../metrics/metric.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { LOST_DEVICE } from '../web/devices/lost-device.ts';
import type { LoadModelOptions, ModelInput } from '../web/load-model.ts';
import { type CallOptions, Connection, type WorkerLike } from './connection.ts';
import type {
  CallName,
  Calls,
  Classification,
  LayerGradients,
  ModelSummary,
  PictureMessage,
  WorkerExplainOptions,
  WorkerMeasureRequest,
  WorkerPerturbRequest,
} from './protocol.ts';

/** Options of `createExplainer`. */
export interface ExplainerOptions extends LoadModelOptions {
  /**
   * The name of an embedded model, the address or the bytes of an `.onnx` file, or files that a
   * user dropped; `demo-cnn` by default.
   */
  readonly model?: ModelInput;
  /**
   * Starts the worker, for pages whose bundler does not find its script: a module worker of
   * the package's file `dist/worker/standalone.js`, which has all that it imports.
   */
  readonly startWorker?: () => WorkerLike;
  /**
   * Called once the model is loaded again, because its graphics device was lost. `model.device`
   * says where the model runs now: on WebAssembly if the device was lost for the second time.
   */
  readonly onReload?: (model: ModelSummary) => void;
}

/** Options of `explain` and `explainAll` of an explainer. */
export type ExplainerRequest = WorkerExplainOptions & CallOptions;

/** A model in a worker. The page stays free while a method runs, and each call can be cancelled. */
export interface Explainer {
  readonly model: ModelSummary;
  /** Probabilities of all classes; computed once for each picture. */
  classify(picture: Image, options?: CallOptions): Promise<Classification>;
  /** As `explain` of `fovea`; methods are given by name. */
  explain(picture: Image, request?: ExplainerRequest): Promise<Explanation>;
  /** As `explainAll` of `fovea`. */
  explainAll(picture: Image, request?: ExplainerRequest): Promise<Explanation[]>;
  /** Scores of altered copies of a picture, [n, targets]. */
  perturb(picture: Image, request: WorkerPerturbRequest & CallOptions): Promise<Tensor>;
  /** Scores a map with a metric, given by name. */
  measure(
    picture: Image,
    metric: string,
    request: WorkerMeasureRequest & CallOptions,
  ): Promise<Score>;
  /** Tensors of the network for a picture, such as attention maps. */
  activations(
    picture: Image,
    names: readonly string[],
    options?: CallOptions,
  ): Promise<readonly Tensor[]>;
  /** Tensors of the network for a picture, and the gradient of the logit of a class by each. */
  gradients(
    picture: Image,
    names: readonly string[],
    target: number,
    options?: CallOptions,
  ): Promise<LayerGradients>;
  /** The superpixel of each pixel of the model's input, [H · W], by SLIC. */
  superpixels(picture: Image, segments: number, options?: CallOptions): Promise<Int32Array>;
  /** Ends the worker: its memory is free again. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** The worker keeps so many pictures with their scores. */
const PICTURES = 8;

/** So often may the graphics device be lost before the model runs on WebAssembly. */
const MOST_LOSSES = 2;

const isLostDevice = (error: unknown): error is FoveaError =>
  error instanceof FoveaError && error.code === 'runtime' && error.message.includes(LOST_DEVICE);

function startWorker(): WorkerLike {
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'fovea' });
}

/** Numbers for pictures; the worker has those of the list. */
class Pictures {
  readonly #ids = new WeakMap<Image, number>();
  #sent: number[] = [];
  #next = 0;

  /** How to name a picture to the worker: with its pixels if the worker does not have it. */
  message(image: Image): PictureMessage {
    const id = this.#ids.get(image) ?? this.#next++;
    this.#ids.set(image, id);
    const isKnown = this.#sent.includes(id);
    this.#sent = [...this.#sent.filter((other) => other !== id), id];
    const forget = this.#sent.splice(0, Math.max(0, this.#sent.length - PICTURES));
    return { id, forget, ...(isKnown ? {} : { image }) };
  }

  /** A new worker has none of them. */
  clear(): void {
    this.#sent = [];
  }
}

/** A worker with a loaded model; starts another one if the first is lost. */
class WorkerModel {
  readonly #options: ExplainerOptions;
  readonly #pictures = new Pictures();
  #connection: Connection | undefined;
  /** The connection, once its worker has the model. */
  #loaded: Promise<Connection> | undefined;
  #summary: ModelSummary | undefined;
  #losses = 0;
  #isDisposed = false;

  constructor(options: ExplainerOptions) {
    this.#options = options;
  }

  get summary(): ModelSummary {
    if (this.#summary) return this.#summary;
    throw new FoveaError('internal', 'the model is not loaded');
  }

  /** Starts a worker and loads the model in it. */
  start(call: CallOptions = {}): Promise<Connection> {
    this.#loaded = this.#load(call);
    return this.#loaded;
  }

  /** What is sent to a worker: after too many losses, to load the model on WebAssembly. */
  #request(): Calls['load']['args'][0] {
    const { model = 'demo-cnn', ...options } = this.#options;
    const { onProgress: _, signal: __, startWorker: ___, onReload: ____, ...sent } = options;
    const source = typeof model === 'object' && model instanceof URL ? model.href : model;
    const base = globalThis.document?.baseURI;
    const known = this.#summary?.device;
    const selfTest = known?.selfTest ?? sent.selfTest;
    if (this.#losses < MOST_LOSSES) return { source, base, options: { ...sent, selfTest } };
    const reason = `${LOST_DEVICE} ${MOST_LOSSES} times`;
    const report = { ...known, device: 'wasm', reason } as const;
    return { source, base, options: { ...sent, device: 'cpu' }, report };
  }

  async #load(call: CallOptions): Promise<Connection> {
    const connection = new Connection((this.#options.startWorker ?? startWorker)());
    this.#connection = connection;
    this.#pictures.clear();
    const cancel = () => connection.end(new FoveaError('cancelled', 'loading was cancelled'));
    call.signal?.addEventListener('abort', cancel, { once: true });
    try {
      this.#summary = await connection.call('load', [this.#request()], call);
      if (this.#losses > 0) this.#options.onReload?.(this.#summary);
      return connection;
    } catch (error) {
      connection.end(new FoveaError('runtime', 'the model was not loaded'));
      throw error;
    } finally {
      call.signal?.removeEventListener('abort', cancel);
    }
  }

  /** The worker with the model; another one if the last one ended. */
  async #connect(): Promise<Connection> {
    if (this.#isDisposed) throw new FoveaError('usage', 'the explainer was disposed');
    return this.#loaded && this.#connection?.isUsable ? this.#loaded : this.start();
  }

  /** A call about a picture. If the device is lost, it is made again in a new worker. */
  async ask<Name extends Exclude<CallName, 'load'>>(
    name: Name,
    image: Image,
    rest: readonly unknown[],
    options: CallOptions = {},
  ): Promise<Calls[Name]['result']> {
    for (;;) {
      const connection = await this.#connect();
      try {
        const args = [this.#pictures.message(image), ...rest] as Calls[Name]['args'];
        return await connection.call(name, args, options);
      } catch (error) {
        if (!isLostDevice(error)) throw error;
        if (!connection.isUsable) continue; // another call has met the same loss
        if (this.#losses === MOST_LOSSES) throw error;
        this.#losses++;
        connection.end(error);
      }
    }
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#connection?.end(new FoveaError('cancelled', 'the explainer was disposed'));
  }
}

/** The parts of a request that stay on the page, and those that are sent. */
function split<T extends CallOptions>({ signal, onProgress, onMap, ...sent }: T) {
  return { call: { signal, onProgress, onMap }, sent };
}

/**
 * Loads a model in a worker of its own and explains pictures there, so that the page stays free.
 * The memory of WebAssembly never shrinks: for another model, dispose of this explainer and create
 * another one. If the graphics device is lost, the model is loaded again in a new worker and the
 * call is repeated once.
 * @throws FoveaError as `loadModel` of `fovea/web`; `runtime` if the worker does not start.
 */
export async function createExplainer(options: ExplainerOptions = {}): Promise<Explainer> {
  const worker = new WorkerModel(options);
  await worker.start({ signal: options.signal, onProgress: options.onProgress });
  const run = (picture: Image, request: ExplainerRequest = {}, one: boolean) => {
    const { call, sent } = split(request);
    return worker.ask('explain', picture, [sent, one], call);
  };
  return {
    get model() {
      return worker.summary;
    },
    classify: (picture, call) => worker.ask('classify', picture, [], call),
    explainAll: (picture, request) => run(picture, request, false),
    async explain(picture, request) {
      const [explanation] = await run(picture, request, true);
      if (explanation) return explanation;
      throw new FoveaError('internal', 'the worker returned no explanation');
    },
    perturb(picture, request) {
      const { call, sent } = split(request);
      return worker.ask('perturb', picture, [sent], call);
    },
    measure(picture, metric, request) {
      const { call, sent } = split(request);
      return worker.ask('measure', picture, [metric, sent], call);
    },
    activations: (picture, names, call) => worker.ask('activations', picture, [names], call),
    gradients: (picture, names, target, call) =>
      worker.ask('gradients', picture, [names, target], call),
    superpixels: (picture, segments, call) => worker.ask('superpixels', picture, [segments], call),
    dispose: () => worker.dispose(),
    [Symbol.dispose]: () => worker.dispose(),
  };
}
