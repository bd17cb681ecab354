import { FoveaError, messageOf } from '../errors.ts';
import type { Runtime, RuntimeData, RuntimeTensor, Session } from './runtime.ts';

/** A tensor of ONNX Runtime. */
interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

/** A session of ONNX Runtime. */
interface OrtSession {
  run(
    feeds: Readonly<Record<string, never>>,
    options: { readonly logSeverityLevel: 4 },
  ): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

/** WebGPU, and the nodes that run on the CPU. */
interface WebGpuProvider {
  readonly name: 'webgpu';
  readonly forceCpuNodeNames: readonly string[];
}

/** Options of sessions. The names are those of ONNX Runtime. */
export interface OrtSessionOptions {
  readonly executionProviders?: readonly (string | WebGpuProvider)[];
  readonly intraOpNumThreads?: number;
  readonly enableMemPattern?: boolean;
}

/**
 * The part of the interface of `onnxruntime-common` that Fovea uses. onnxruntime-node,
 * onnxruntime-web and onnxruntime-react-native have it. It is declared here, because the types of
 * `onnxruntime-common` need the types of a browser.
 */
export interface OnnxRuntime {
  readonly InferenceSession: {
    create(model: Uint8Array, options?: OrtSessionOptions): Promise<OrtSession>;
  };
  readonly Tensor: new (
    type: RuntimeTensor['type'],
    data: RuntimeData,
    dims: readonly number[],
  ) => OrtTensor;
  readonly env: {
    logLevel?: 'verbose' | 'info' | 'warning' | 'error' | 'fatal';
    readonly versions: { readonly common: string; readonly web?: string; readonly node?: string };
    readonly wasm: { numThreads?: number; wasmPaths?: unknown };
    /** The promise of the graphics device that runs sessions, if there is one. */
    readonly webgpu?: { readonly device?: unknown };
  };
}

/** Options of `createOnnxRuntime`. */
export interface OnnxRuntimeOptions {
  /** The name in manifests and messages, for example `onnxruntime-node 1.30.0 (cpu)`. */
  readonly name: string;
  /** Options of sessions: execution providers and threads. By default those of ONNX Runtime. */
  readonly session?: OrtSessionOptions;
  /** What else the session of a model file needs. */
  readonly sessionOf?: (model: Uint8Array) => OrtSessionOptions;
}

/** Only fatal messages are written to stderr, because all errors are also thrown. */
const LOG_FATAL = 4 as const;

const ALLOCATION_FAILURES: readonly RegExp[] = [
  /bad_alloc/i,
  /failed to allocate/i,
  /available memory of \d+ is smaller than requested/i,
  /array buffer allocation failed/i,
  /invalid (typed )?array( buffer)? length/i,
  /out[ -]of[ -]memory|\bOOM\b/i,
  /memory\.grow|could not allocate memory|cannot enlarge memory/i,
  // In 32-bit WebAssembly, sizes overflow.
  /tensor shape is too large|integer overflow/i,
  /cudaErrorMemoryAllocation|CUBLAS_STATUS_ALLOC_FAILED/i,
  /(exceeds|larger than) the max(imum)? (storage )?(buffer|binding)/i,
];

/**
 * Whether an error or one of its causes is a failed allocation of memory. Then the same call on
 * fewer pictures may succeed.
 */
export function isAllocationFailure(error: unknown): boolean {
  if (error === undefined || error === null) return false;
  if (error instanceof FoveaError && error.code === 'cancelled') return false;
  const text = messageOf(error);
  if (ALLOCATION_FAILURES.some((pattern) => pattern.test(text))) return true;
  return error instanceof Error && error.cause !== error && isAllocationFailure(error.cause);
}

/** A place in the source of ONNX Runtime and the signature of the C++ function there. */
const LOCATION = new RegExp(
  /(Status Message: |^)\S*\/?onnxruntime\/\S+?\.(cc|h|cpp|cu):\d+ /.source +
    /.*?\)(?: const)?(?:::<lambda\(\)>)? /.source,
);

/**
 * The first line of the runtime's message, without the build paths and C++ signatures at its start.
 */
export function reasonOf(error: unknown): string {
  const lines = messageOf(error)
    .split('\n')
    .map((line) => line.trim());
  const line = lines.find((text) => text !== '') ?? 'unknown reason';
  return line
    .replace(
      /^(failed to call OrtRun\(\)|Can't create a session)\. ERROR_CODE: \d+, ERROR_MESSAGE: /i,
      '',
    )
    .replace(LOCATION, '$1')
    .replace(/^.*? was false\. /, '')
    .replace(/\[ONNXRuntimeError\] : \d+ : \w+ : /, '')
    .replace(/\.$/, '');
}

const CROSSING_TYPES: readonly string[] = [
  'float32',
  'int32',
  'int64',
  'uint8',
] satisfies RuntimeTensor['type'][];

/**
 * Creates a queue that runs the calls of a runtime one after another. WebAssembly and WebGPU accept
 * no second call while one is running.
 */
function createQueue(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const next = last.then(task, task);
    last = next.catch(() => undefined);
    return next;
  };
}

type Queue = ReturnType<typeof createQueue>;

function sessionOf(ort: OnnxRuntime, session: OrtSession, name: string, queue: Queue): Session {
  let released: Promise<void> | undefined;
  const run = async (
    feeds: Readonly<Record<string, RuntimeTensor>>,
  ): Promise<Record<string, RuntimeTensor>> => {
    const results: Record<string, RuntimeTensor> = {};
    try {
      const inputs = Object.entries(feeds).map(([key, { type, data, shape }]) => [
        key,
        new ort.Tensor(type, data, shape),
      ]);
      const found = await session.run(Object.fromEntries(inputs), { logSeverityLevel: LOG_FATAL });
      for (const [key, value] of Object.entries(found)) {
        if (!CROSSING_TYPES.includes(value.type))
          throw new FoveaError(
            'internal',
            `the output ${key} is ${value.type}, a type that sessions do not return`,
          );
        results[key] = {
          type: value.type as RuntimeTensor['type'],
          shape: value.dims,
          data: value.data as RuntimeData,
        };
      }
    } catch (error) {
      if (error instanceof FoveaError) throw error;
      throw new FoveaError('runtime', `${name} could not run the model: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    return results;
  };
  return {
    run: (feeds) => {
      if (released)
        return Promise.reject(
          new FoveaError('runtime', 'the model was disposed: load it again to run it'),
        );
      return queue(() => run(feeds));
    },
    release: () => {
      released ??= queue(() => session.release());
      return released;
    },
  };
}

/**
 * Creates a `Runtime` from a package with the interface of `onnxruntime-common`. It works on every
 * platform.
 */
export function createOnnxRuntime(
  ort: OnnxRuntime,
  { name, session: options = {}, sessionOf: optionsOf }: OnnxRuntimeOptions,
): Runtime {
  const queue = createQueue();
  ort.env.logLevel = 'fatal';
  const sessionOptions = {
    graphOptimizationLevel: 'all',
    logSeverityLevel: LOG_FATAL,
    ...options,
  } as const;
  const create = async (model: Uint8Array): Promise<Session> => {
    try {
      const all = { ...sessionOptions, ...optionsOf?.(model) };
      return sessionOf(ort, await ort.InferenceSession.create(model, all), name, queue);
    } catch (error) {
      if (isAllocationFailure(error)) {
        throw new FoveaError(
          'out-of-memory',
          `${name} could not allocate memory for the model: use a smaller model`,
          { cause: error },
        );
      }
      throw new FoveaError('model', `${name} does not accept the model: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  };
  return { name, createSession: (model) => queue(() => create(model)) };
}
