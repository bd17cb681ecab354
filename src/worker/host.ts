import '../web/demo-models.ts';
import '../web/webgpu.ts';
import { FoveaError, messageOf, throwIfCancelled } from '../errors.ts';
import { explain, explainAll } from '../explain.ts';
import { describeOptions, type Method, methods } from '../methods/index.ts';
import { metrics } from '../metrics/index.ts';
import { isEmbeddedModel } from '../model/files/model-files.ts';
import { createBaseline } from '../model/input/baseline.ts';
import { denormalize, inputRegion } from '../model/input/preprocessing.ts';
import { type Model, requireInside } from '../model/model.ts';
import { type ExplainInput, type PreparedInput, prepareInput } from '../prepare-input.ts';
import { slic } from '../superpixels/index.ts';
import { createRandom } from '../tensor/random.ts';
import { argsortDescending, type Tensor } from '../tensor/tensor.ts';
import { withDevice } from '../web/devices/with-device.ts';
import { loadModel, type ModelInput } from '../web/load-model.ts';
import type {
  CallName,
  Calls,
  Classification,
  MethodSummary,
  ModelSummary,
  PictureMessage,
  Reply,
  Request,
  WorkerExplainOptions,
} from './protocol.ts';

/** What a call may do while it runs. */
interface Running {
  readonly signal: AbortSignal;
  progress(share: number): void;
  partial(map: Extract<Reply, { kind: 'map' }>['partial']): boolean;
}

type Handlers = {
  [Name in CallName]: (
    running: Running,
    ...args: Calls[Name]['args']
  ) => Promise<Calls[Name]['result']>;
};

/** Why a model cannot run a method, before it is tried. */
function obstacleOf(method: Method, { inside }: Model): string | undefined {
  if (method.needs.every((need) => need === 'black-box')) return undefined;
  if (!inside) return 'it needs the network, and this model returns scores only';
  if (method.needs.includes('attention') && inside.attentionMaps().length === 0)
    return 'it needs attention, and this network has none';
  if (method.needs.includes('features') && inside.featureMaps().length === 0)
    return 'it needs feature maps, and none were found in this network';
  return undefined;
}

function summaryOfMethod(method: Method, model: Model): MethodSummary {
  const { name, title, family, paper, needs, signed, cost } = method;
  const described = { name, title, family, paper, needs, signed, cost };
  return { ...described, options: describeOptions(method), obstacle: obstacleOf(method, model) };
}

/**
 * Threads for WebAssembly: those that were asked for, or one less than there are cores, so that the
 * page stays quick. One where threads do not work: on pages that are not isolated, and on iOS,
 * where isolated pages hang.
 */
function threadsFor(wanted: number | undefined): number {
  const { hardwareConcurrency = 1, userAgent = '' } = globalThis.navigator ?? {};
  if (!globalThis.crossOriginIsolated || /iPhone|iPad/.test(userAgent)) return 1;
  return wanted ?? Math.min(8, Math.max(1, hardwareConcurrency - 1));
}

async function summaryOf(model: Model, threads: number): Promise<ModelSummary> {
  const { name, labels, preprocessing, output, fingerprint } = model;
  const { runtime, device, warnings, inside } = model;
  return {
    ...{ name, labels, preprocessing, output, fingerprint, runtime, device, warnings },
    featureMaps: inside?.featureMaps() ?? [],
    attentionMaps: inside?.attentionMaps() ?? [],
    weightLayers: (await inside?.weightLayers()) ?? [],
    methods: [...methods].map((method) => summaryOfMethod(method, model)),
    threads,
  };
}

/** A source whose address does not depend on where the worker's script lies. */
function absolute(source: ModelInput, base: string | undefined): ModelInput {
  const isAddress = typeof source === 'string' && !isEmbeddedModel(source);
  return isAddress && URL.canParse(source, base) ? new URL(source, base) : source;
}

/** The model of a worker, its pictures, and what it can be asked for. */
class Host {
  #model: Model | undefined;
  #randomized: { readonly layers: number; readonly model: Model } | undefined;
  readonly #pictures = new Map<number, Promise<PreparedInput>>();

  get model(): Model {
    if (this.#model) return this.#model;
    throw new FoveaError('internal', 'the worker has no model yet');
  }

  /** The picture as the model's input, with its scores; computed once for each picture. */
  async #prepared({ id, image, forget = [] }: PictureMessage): Promise<PreparedInput> {
    for (const old of forget) this.#pictures.delete(old);
    let prepared = this.#pictures.get(id);
    if (!prepared) {
      if (!image) throw new FoveaError('internal', `the worker does not have picture ${id}`);
      prepared = prepareInput(this.model, image);
      this.#pictures.set(id, prepared);
    }
    return prepared;
  }

  /** The model, or a copy whose last `layers` layers have random weights. */
  async #variant(layers = 0): Promise<Model> {
    if (layers === 0) return this.model;
    if (this.#randomized?.layers === layers) return this.#randomized.model;
    const inside = requireInside(this.model);
    const names = await inside.weightLayers();
    if (!(Number.isInteger(layers) && layers > 0 && layers <= names.length))
      throw new FoveaError(
        'usage',
        `randomizedLayers ${layers}: expected a whole number from 0 to ${names.length}`,
      );
    const model = await inside.randomized(names.slice(-layers), createRandom(0));
    await this.#randomized?.model.dispose();
    this.#randomized = { layers, model };
    return model;
  }

  async #explain(
    running: Running,
    picture: PictureMessage,
    { randomizedLayers, ...options }: WorkerExplainOptions,
    one: boolean,
  ) {
    const prepared = await this.#prepared(picture);
    const model = await this.#variant(randomizedLayers);
    throwIfCancelled(running.signal);
    const request = {
      ...options,
      signal: running.signal,
      onProgress: running.progress,
      onMap: running.partial,
    };
    return one ? [await explain(model, prepared, request)] : explainAll(model, prepared, request);
  }

  readonly handlers: Handlers = {
    load: async (running, { source, base, options, report }) => {
      const threads = threadsFor(options.threads);
      const model = await loadModel(absolute(source, base), {
        ...options,
        threads,
        onProgress: running.progress,
        signal: running.signal,
      });
      this.#model = report ? withDevice(model, report) : model;
      return summaryOf(this.#model, threads);
    },
    classify: async (_, picture): Promise<Classification> => {
      const { probabilities, sha256, width, height } = await this.#prepared(picture);
      return {
        probabilities: probabilities.slice(),
        ranking: argsortDescending(probabilities),
        region: inputRegion(width, height, this.model.preprocessing),
        sha256,
      };
    },
    explain: (running, ...args) => this.#explain(running, ...args),
    perturb: async (running, picture, { baseline = 'zero', targets, ...request }) => {
      const { input } = await this.#prepared(picture);
      return this.model.perturb({
        ...request,
        input,
        baseline: createBaseline(baseline, this.model, input),
        targets: targets ?? this.model.labels.map((_, index) => index),
        signal: running.signal,
        onProgress: (done, total) => running.progress(done / total),
      });
    },
    measure: async (running, picture, name, { target, made, map, ...given }) => {
      const { input } = await this.#prepared(picture);
      const again = async (changed: {
        input?: Tensor;
        model?: Model;
        target?: { index: number };
      }) => {
        if (!made)
          throw new FoveaError('usage', `${name} runs the method again: say how the map was made`);
        const source: ExplainInput = changed.input ?? input;
        const { method, options, seed } = made;
        const request = { method: methods.get(method), options, seed, signal: running.signal };
        const class_ = changed.target?.index ?? target;
        const [found] = await explainAll(changed.model ?? this.model, source, {
          ...request,
          target: class_,
        });
        if (!found) throw new FoveaError('internal', 'the method returned no map');
        return found.map;
      };
      return metrics.get(name).score({
        ...given,
        map,
        model: this.model,
        input,
        target: { index: target },
        explain: again,
        signal: running.signal,
        onProgress: running.progress,
      });
    },
    activations: async (running, picture, names) => {
      const { input } = await this.#prepared(picture);
      return requireInside(this.model).activations(names, input, { signal: running.signal });
    },
    gradients: async (running, picture, names, target) => {
      const { input } = await this.#prepared(picture);
      const { signal } = running;
      const request = { batch: input, wrt: names, targets: [target], signal };
      const { values, gradients } = await requireInside(this.model).gradients(request);
      return { values, gradients };
    },
    superpixels: async (_, picture, segments) => {
      const { input } = await this.#prepared(picture);
      return slic(denormalize(input, this.model.preprocessing), { segments }).labels;
    },
  };
}

/** The buffers of a result, which move to the page instead of being copied. */
function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (typeof value === 'object' && value !== null)
    for (const part of Object.values(value)) buffersOf(part, found);
  return found;
}

/** Progress is worth a message this often, in milliseconds. */
const EVERY = 40;

/** Connects a host to a port: calls in, replies out. */
export function serve(
  post: (reply: Reply, transfer: Transferable[]) => void,
): (request: Request) => void {
  const host = new Host();
  const controllers = new Map<number, AbortController>();
  const accepted = new Set<number>();

  const run = async (id: number, name: CallName, args: unknown): Promise<void> => {
    const controller = new AbortController();
    controllers.set(id, controller);
    let last = Number.NEGATIVE_INFINITY;
    const running: Running = {
      signal: controller.signal,
      progress(share) {
        const now = performance.now();
        if (now - last < EVERY && share < 1) return;
        last = now;
        post({ kind: 'progress', id, share }, []);
      },
      partial(partial) {
        post({ kind: 'map', id, partial }, []);
        return accepted.has(id);
      },
    };
    try {
      const handler = host.handlers[name] as (running: Running, ...args: unknown[]) => unknown;
      const result = await handler(running, ...(args as unknown[]));
      post({ kind: 'result', id, result }, [...buffersOf(result)]);
    } catch (error) {
      const code = error instanceof FoveaError ? error.code : 'internal';
      post({ kind: 'error', id, code, message: messageOf(error) }, []);
    } finally {
      controllers.delete(id);
      accepted.delete(id);
    }
  };
  return (request) => {
    if (request.kind === 'call') void run(request.id, request.name, request.args);
    else if (request.kind === 'cancel') controllers.get(request.id)?.abort();
    else accepted.add(request.id);
  };
}
