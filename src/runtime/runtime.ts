/**
 * The data types of inputs and outputs of a session. Fovea's graphs cast other types inside the
 * graph.
 */
export type RuntimeData = Float32Array | Int32Array | BigInt64Array | Uint8Array;

/** An input or output of a session: row-major data and its shape. */
export interface RuntimeTensor {
  readonly type: 'float32' | 'int32' | 'int64' | 'uint8';
  readonly shape: readonly number[];
  readonly data: RuntimeData;
}

/** A loaded graph. `run` computes all outputs of the graph, so there is one graph per purpose. */
export interface Session {
  run(feeds: Readonly<Record<string, RuntimeTensor>>): Promise<Record<string, RuntimeTensor>>;
  release(): Promise<void>;
}

/** A runtime for ONNX graphs on one device. */
export interface Runtime {
  /** The name in manifests, for example `onnxruntime-node 1.30.0 (cpu)`. */
  readonly name: string;
  /** Warnings for the user, one sentence each, for example about a slow substitute. */
  readonly warnings?: readonly string[];
  /**
   * Loads a serialised ONNX model.
   * @throws FoveaError `runtime` if the device cannot start, `model` if the file is not accepted.
   */
  createSession(model: Uint8Array): Promise<Session>;
}

/** The devices that a user can choose. `auto` chooses the fastest device that starts. */
export const DEVICES = ['cpu', 'webgpu', 'cuda', 'coreml', 'dml', 'auto'] as const;
export type Device = (typeof DEVICES)[number];
