import { FoveaError, type FoveaErrorCode } from './errors.ts';
import type { Explanation } from './explanation.ts';
import type { Json } from './json.ts';
import { mapWarnings } from './map-warnings.ts';
import {
  type Attribution,
  type Method,
  type MethodMap,
  type MethodName,
  type MethodOptions,
  methods,
  type Need,
  type PartialMap,
} from './methods/method.ts';
import { createMeter, type Meter } from './model/meter.ts';
import type { Model } from './model/model.ts';
import { mostProbable } from './model/scored-class.ts';
import type { Target, TargetSpec } from './model/target.ts';
import { type AnyOptions, parseOptions } from './options.ts';
import { type ExplainInput, type PreparedInput, prepare, regionOf } from './prepare-input.ts';
import { at } from './tensor/at.ts';
import { createRandom } from './tensor/random.ts';
import { mean } from './tensor/statistics.ts';
import type { Tensor } from './tensor/tensor.ts';
import { VERSION } from './version.ts';

/** Options of `explain` and `explainAll`; `M` is the method or its name. */
export interface ExplainOptions<M extends Method | MethodName = Method | MethodName> {
  /** A method, or the name of a registered one; `iassa` by default. */
  method?: M;
  /**
   * `top1` (default), `top:N`, a class index, `{ class: 'tabby cat' }`, `{ class: 'tank', against:
   * 'cab' }`, or a list of these.
   */
  target?: TargetSpec | readonly TargetSpec[];
  /** The options of the method; a missing option has its default. */
  options?: MethodOptions<M>;
  /**
   * The most model calls (forward passes) for all classes together; no limit by default. A method
   * with `withBudget` chooses options that keep the budget. Any other method is refused as soon as
   * it wants more. The classification of the picture does not count.
   */
  budget?: number;
  /** Seeds all randomness; 0 by default. */
  seed?: number;
  /** The name of the picture in the manifest. */
  imageName?: string;
  /**
   * Pictures per session call; by default as many as the memory budget allows. It changes results
   * by rounding errors only.
   */
  batchSize?: number;
  signal?: AbortSignal;
  /** Called with the share of the work that is done, 0 … 1. */
  onProgress?: (share: number) => void;
  /**
   * Called with every intermediate map of an anytime method (IASSA, RISE). If it returns `true`,
   * the method ends with this map.
   */
  onMap?: (partial: PartialMap) => unknown;
  /** Loads a second model by name, if an option of the method names one. */
  loadModel?: (source: string) => Promise<Model>;
}

/** The default method, for the types of its options. */
export type DefaultMethod = Extract<'iassa', keyof MethodMap>;

/** A method with parsed options. Evaluations and commands prepare it once and run it often. */
export interface MethodRun {
  readonly method: Method;
  readonly options: AnyOptions;
}

/** How `runMethod` runs a method: `ExplainOptions` without the method and its options. */
export type RunMethodOptions = Omit<ExplainOptions, 'method' | 'options'>;

/**
 * Explains one class of a picture: `explain(model, picture, { method: rise })`.
 * @throws FoveaError as `explainAll`; `usage` if the target names more than one class.
 */
export async function explain<M extends Method | MethodName = DefaultMethod>(
  model: Model,
  source: ExplainInput | PreparedInput,
  options: ExplainOptions<M> = {},
): Promise<Explanation> {
  const run = requestedRun(options);
  const { prepared, targets } = await prepareRun(model, source, run, options);
  if (targets.length !== 1) {
    throw new FoveaError(
      'usage',
      `target ${JSON.stringify(options.target)} names ${targets.length} classes: use explainAll`,
    );
  }
  return at(await explainTargets(model, prepared, targets, run, options), 0);
}

/**
 * Explains every class that `target` names, in the order of their scores, with one method. Methods
 * that can explain several classes from the same model calls do so; `modelCalls` counts the calls
 * of all classes together.
 * @throws FoveaError with a stable code; `cancelled` if the signal fires.
 */
export async function explainAll<M extends Method | MethodName = DefaultMethod>(
  model: Model,
  source: ExplainInput | PreparedInput,
  options: ExplainOptions<M> = {},
): Promise<Explanation[]> {
  return runMethod(model, source, requestedRun(options), options);
}

/**
 * Explains every class that `target` names with a method whose options are parsed already.
 * Otherwise it is like `explainAll`.
 * @throws FoveaError as `explainAll`.
 */
export async function runMethod(
  model: Model,
  source: ExplainInput | PreparedInput,
  run: MethodRun,
  request: RunMethodOptions = {},
): Promise<Explanation[]> {
  const { prepared, targets } = await prepareRun(model, source, run, request);
  return explainTargets(model, prepared, targets, run, request);
}

/**
 * Checks a request before the model is called, then classifies the picture and finds its targets.
 */
async function prepareRun(
  model: Model,
  source: ExplainInput | PreparedInput,
  { method }: MethodRun,
  { target, seed, budget, signal }: RunMethodOptions,
) {
  checkNeeds(method, model);
  checkWhole('seed', seed, 0);
  checkWhole('budget', budget, 1);
  const choose = await chooserOf(model, target);
  const prepared = await prepare(model, source, signal);
  return { prepared, targets: choose(prepared.probabilities) };
}

/** Makes a function that finds the targets of a picture. Refuses an unknown label at once. */
async function chooserOf(model: Model, target: RunMethodOptions['target'] = 'top1') {
  if (target === 'top1')
    return (probabilities: Float32Array): readonly Target[] => [mostProbable(model, probabilities)];
  const { targetChooser } = await import('./model/target.ts');
  return targetChooser(model, target);
}

/** The method and the parsed options that a caller asks for. */
function requestedRun<M extends Method | MethodName>(request: ExplainOptions<M>): MethodRun {
  const method = methodOf(request.method);
  return { method, options: parseOptions(method, request.options) };
}

/** The method of a call, by its name if it is not an object. */
function methodOf(method: Method | MethodName | undefined): Method {
  if (typeof method === 'object') return method;
  const name: string = method ?? 'iassa';
  if (methods.names.length > 0) return methods.get(name);
  throw new FoveaError(
    'usage',
    `the method "${name}" is not registered: pass a method object, or import ` +
      `'fovea/methods' to use names`,
  );
}

/** Runs a method for classes of a prepared picture: one explanation per target, in order. */
async function explainTargets(
  model: Model,
  prepared: PreparedInput,
  targets: readonly Target[],
  given: MethodRun,
  request: RunMethodOptions,
): Promise<Explanation[]> {
  const { seed = 0, budget } = request;
  const run = withinBudget(given, budget, prepared, targets.length);
  const { method, options } = run;
  const meter = createMeter(request.signal, budget);
  const loader = createLoader(method, meter, request.loadModel);
  const { input, image } = prepared;
  const asked = await withContrasts(model, targets);
  const calls = (): number => meter.calls().forward;
  const contextFor = (each: Method) => ({
    model: meter.wrap(asked.model),
    input,
    image,
    batchSize: request.batchSize,
    calls,
    loadModel: loader.loadModel,
    random: createRandom(seed).fork(each.name),
    attribute,
  });
  const attribute = async (other: Method, target: Target): Promise<Attribution> => {
    if (other === method) {
      const message = `${method.name} cannot build on its own map: name another method`;
      throw new FoveaError('usage', message);
    }
    checkNeeds(other, model);
    const silent = { progress() {}, offer: () => false };
    const parsed = parseOptions(other);
    const context = { ...contextFor(other), ...silent, targets: [target], options: parsed };
    const [attribution] = await other.explain(context);
    return checkAttribution(other, attribution, input);
  };
  const started = performance.now();
  try {
    const attributions = await method.explain({
      ...contextFor(method),
      targets: asked.targets,
      options,
      progress: request.onProgress ?? (() => {}),
      offer: (partial) => {
        const i = asked.targets.findIndex(({ index }) => index === partial.target.index);
        const target = targets[i] ?? partial.target; // as the caller named it
        return request.onMap?.({ ...partial, target, calls: calls() }) === true;
      },
    });
    const seconds = (performance.now() - started) / 1000;
    const shared = manifestFor(model, run, request, prepared);
    return targets.map((target, i) => {
      const attribution = checkAttribution(method, attributions[i], input);
      const { index } = asked.targets[i] ?? target;
      return explanationOf(attribution, target, shared, meter, index, seconds);
    });
  } finally {
    await loader.dispose();
  }
}

/** The model and the targets for a method. Each contrast becomes a further class of the model. */
async function withContrasts(model: Model, targets: readonly Target[]) {
  if (!targets.some(({ against }) => against)) return { model, targets };
  const { contrastTargets } = await import('./model/contrast.ts');
  return contrastTargets(model, targets);
}

/**
 * The run with options that keep the budget, if the method can choose such options.
 * @throws FoveaError `usage` if the method needs more calls.
 */
export function withinBudget(
  run: MethodRun,
  budget: number | undefined,
  { input }: PreparedInput,
  targets: number,
): MethodRun {
  const { method, options } = run;
  const [, , height = 0, width = 0] = input.shape;
  if (budget === undefined || !method.withBudget) return run;
  return { method, options: method.withBudget(options, budget, { height, width, targets }) };
}

function checkWhole(name: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return;
  throw new FoveaError('usage', `${name} ${value}: expected a whole number from ${least}`);
}

/** Refuses a model that lacks something that the method needs. */
function checkNeeds(method: Method, model: Model): void {
  const given: Record<Need, unknown> = {
    'black-box': true,
    gradients: model.inside,
    features: model.inside,
    attention: model.inside,
  };
  const lacking = method.needs.find((need) => !given[need]);
  if (!lacking) return;
  const words: Record<Need, string> = {
    'black-box': 'scores',
    gradients: 'gradients',
    features: 'feature maps',
    attention: 'attention maps',
  };
  const reason =
    `${method.name} needs ${words[lacking]}, which ${model.name} (${model.runtime}) does not ` +
    `provide`;
  throw new FoveaError(
    'unsupported',
    `${reason}: use an ONNX model, or a method that needs scores only, such as rise, ` +
      'iassa or occlusion',
  );
}

/** Loads second models for a method, by name; `dispose` frees them. */
function createLoader(method: Method, meter: Meter, load: ExplainOptions['loadModel']) {
  const loaded: Model[] = [];
  return {
    async loadModel(name: string): Promise<Model> {
      if (!load) {
        throw new FoveaError(
          'usage',
          `${method.name} needs the model "${name}": pass loadModel to explain`,
        );
      }
      const other = await load(name);
      loaded.push(other);
      return meter.wrap(other);
    },
    async dispose(): Promise<void> {
      await Promise.all(loaded.map((other) => other.dispose()));
    },
  };
}

/** Checks that a method returned a finite map of the size of the input. */
function checkAttribution(
  method: Method,
  attribution: Attribution | undefined,
  input: Tensor,
): Attribution {
  const fail = (code: FoveaErrorCode, what: string): never => {
    throw new FoveaError(code, `the method ${method.name} returned ${what}`);
  };
  if (!attribution) return fail('usage', 'fewer maps than there are targets');
  const [, , height, width] = input.shape;
  const { shape, data } = attribution.map;
  if (shape.length !== 2 || shape[0] !== height || shape[1] !== width) {
    const wanted = `expected one value per pixel of the input, ${height}×${width}`;
    return fail('usage', `a map of ${shape.join('×')}: ${wanted}`);
  }
  if (data.some((value) => !Number.isFinite(value))) {
    return fail('unexplained', 'a map with NaN or infinite values');
  }
  return attribution;
}

/** The parts of a manifest that all targets of one request share. */
function manifestFor(
  model: Model,
  { method, options }: MethodRun,
  { seed, budget, imageName }: RunMethodOptions,
  prepared: PreparedInput,
) {
  return {
    fovea: VERSION,
    method: method.name,
    options: JSON.parse(JSON.stringify(options)) as { [key: string]: Json },
    seed: seed ?? 0,
    ...(budget !== undefined && { budget }),
    signed: method.signed,
    model: {
      name: model.name,
      fingerprint: model.fingerprint,
      output: model.output,
      runtime: model.runtime,
      ...(model.device && { device: model.device }),
    },
    image: {
      name: imageName ?? '',
      sha256: prepared.sha256,
      width: prepared.width,
      height: prepared.height,
      region: regionOf(model, prepared),
    },
    preprocessing: model.preprocessing,
    warnings: model.warnings,
  };
}

/** An explanation from what a method returned and the manifest that all targets share. */
function explanationOf(
  attribution: Attribution,
  target: Target,
  shared: ReturnType<typeof manifestFor>,
  meter: Meter,
  seenAs: number,
  seconds: number,
): Explanation {
  const { map, standardError, channels, layers, region, warnings = [], extras = {} } = attribution;
  const signed = shared.signed && attribution.signed !== false;
  const manifest = {
    ...shared,
    signed,
    warnings: [...shared.warnings, ...mapWarnings(shared.method, map, meter, seenAs), ...warnings],
    target,
    modelCalls: meter.calls(),
    ...(standardError && { standardError: mean(standardError.data) }),
    extras,
  };
  return { map, signed, target, standardError, channels, layers, region, manifest, seconds };
}
