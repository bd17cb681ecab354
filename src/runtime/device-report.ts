/**
 * The largest difference between the results of two devices, relative to the largest value, of each
 * thing that was compared; a text says why there is no result.
 */
export type Differences = Readonly<Record<string, number | string>>;

/** What a device computes for small graphs, beside WebAssembly. It holds for one key. */
export interface SelfTest {
  /** The versions, the adapter and the browser that were tested. */
  readonly key: string;
  readonly differences: Differences;
}

/** Which device of a page runs a model, and why. */
export interface DeviceReport {
  readonly device: 'webgpu' | 'wasm';
  /** What the browser calls the graphics adapter, if there is one. */
  readonly adapter?: string;
  /** One sentence. */
  readonly reason: string;
  /** What the adapter computed for small graphs. A page may store it for its next visit. */
  readonly selfTest?: SelfTest;
  /** What was compared between both devices for the model itself. */
  readonly model?: Differences;
}
