import { FoveaError, messageOf } from '../errors.ts';
import type { Runtime, RuntimeData, RuntimeTensor, Session } from './runtime.ts';

/** A value as the runtime hands it over. */
interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

/** A session of the runtime. */
interface OrtSession {
  run(feeds: Readonly<Record<string, never>>): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

/** How sessions are created, by the names that ONNX Runtime gives these options. */
export interface OrtSessionOptions {
  readonly executionProviders?: readonly string[];
  readonly intraOpNumThreads?: number;
  readonly enableMemPattern?: boolean;
}

/**
 * What Fovea uses of an `onnxruntime-common`-shaped package: onnxruntime-node, onnxruntime-web,
 * onnxruntime-react-native. Written out, because the types of that package need a browser's.
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
  };
}

/** Options of `createOnnxRuntime`. */
export interface OnnxRuntimeOptions {
  /** For manifests, e.g. `onnxruntime-node 1.30.0 (cpu)`. */
  readonly name: string;
  /** How sessions are created: execution providers, threads, graph optimisation. */
  readonly session?: OrtSessionOptions;
}

/** Only fatal messages reach stderr; whatever goes wrong also comes as an exception. */
const LOG_FATAL = 4;

const ALLOCATION_FAILURES: readonly RegExp[] = [
  /bad_alloc/i,
  /failed to allocate/i,
  /available memory of \d+ is smaller than requested/i,
  /array buffer allocation failed/i,
  /invalid (typed )?array( buffer)? length/i,
  /out[ -]of[ -]memory|\bOOM\b/i,
  /memory\.grow|could not allocate memory|cannot enlarge memory/i,
  // 32-bit WebAssembly, whose sizes overflow
  /tensor shape is too large|integer overflow/i,
  /cudaErrorMemoryAllocation|CUBLAS_STATUS_ALLOC_FAILED/i,
  /(exceeds|larger than) the max(imum)? (storage )?(buffer|binding)/i,
];

/**
 * Whether an error, or what caused it, says that memory was not to be had: the same call on fewer
 * pictures may succeed.
 */
export function isAllocationFailure(error: unknown): boolean {
  if (error === undefined || error === null) return false;
  if (error instanceof FoveaError && error.code === 'cancelled') return false;
  const text = messageOf(error);
  if (ALLOCATION_FAILURES.some((pattern) => pattern.test(text))) return true;
  return error instanceof Error && error.cause !== error && isAllocationFailure(error.cause);
}

/** The runtime's message on one line, without the build paths and C++ signatures it starts with. */
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
    .replace(
      /(Status Message: |^)\S*\/?onnxruntime\/\S+?\.(cc|h|cpp|cu):\d+ .*?\)(?: const)?(?:::<lambda\(\)>)? /,
      '$1',
    )
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
 * Calls of one runtime, one after another: neither WASM nor WebGPU takes a second call while one is
 * under way.
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
      for (const [key, value] of Object.entries(await session.run(Object.fromEntries(inputs)))) {
        if (!CROSSING_TYPES.includes(value.type))
          throw new FoveaError(
            'internal',
            `the output ${key} is ${value.type}, which does not cross out of a session`,
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

/** Turns an `onnxruntime-common`-shaped package into Fovea's `Runtime`. Runs anywhere. */
export function createOnnxRuntime(
  ort: OnnxRuntime,
  { name, session: options = {} }: OnnxRuntimeOptions,
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
      return sessionOf(ort, await ort.InferenceSession.create(model, sessionOptions), name, queue);
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
