/**
 * What crosses into and out of a session. Fovea's graphs cast inside, so only these types cross.
 */
export type RuntimeData = Float32Array | Int32Array | BigInt64Array | Uint8Array;

/** A named value of a session: row-major data and its shape. */
export interface RuntimeTensor {
  readonly type: 'float32' | 'int32' | 'int64' | 'uint8';
  readonly shape: readonly number[];
  readonly data: RuntimeData;
}

/**
 * A loaded graph. `run` computes every output of the graph, so graphs are built one for each
 * purpose.
 */
export interface Session {
  run(feeds: Readonly<Record<string, RuntimeTensor>>): Promise<Record<string, RuntimeTensor>>;
  release(): Promise<void>;
}

/** Where graphs run. */
export interface Runtime {
  /** For manifests, e.g. `onnxruntime-node 1.30.0 (cpu)`. */
  readonly name: string;
  /** What a user should know of it, one sentence each: a slow substitute. */
  readonly warnings?: readonly string[];
  /**
   * Loads a serialised ONNX model.
   * @throws FoveaError `runtime` if the device cannot start, `model` if the file is not accepted.
   */
  createSession(model: Uint8Array): Promise<Session>;
}

/** The devices a user may ask for; `auto` takes the fastest that starts. */
export const DEVICES = ['cpu', 'webgpu', 'cuda', 'coreml', 'dml', 'auto'] as const;
export type Device = (typeof DEVICES)[number];
