import { FoveaError } from '../errors.ts';
import type { SelfTest } from './device-report.ts';
import { createOnnxRuntime, type OnnxRuntime, reasonOf } from './onnxruntime.ts';
import type { Runtime } from './runtime.ts';

/** Options of `createWebRuntime`. */
export interface WebRuntimeOptions {
  /**
   * The device: `cpu` (WebAssembly, the default), `webgpu`, or `auto`. `auto` chooses WebGPU if it
   * computes what WebAssembly computes and is faster, else WebAssembly. `webgpu` and `auto` need
   * `import 'fovea/web/webgpu'`.
   */
  readonly device?: 'cpu' | 'webgpu' | 'auto';
  /**
   * URL of the folder with onnxruntime-web's `.wasm` and `.mjs` files, or the URL of each file.
   * Default: the folder of the script.
   */
  readonly wasmPaths?: string | { readonly mjs?: string; readonly wasm?: string };
  /**
   * Number of WebAssembly threads, at least 1. More than one needs a cross-origin isolated page.
   */
  readonly threads?: number;
  /**
   * What `model.device.selfTest` was at an earlier visit: the test is not run again for the same
   * device and versions.
   */
  readonly selfTest?: SelfTest;
}

type CreateRuntime = (options: WebRuntimeOptions) => Promise<Runtime>;

let createOnDevice: CreateRuntime | undefined;

/** Tells `createWebRuntime` how to choose between WebGPU and WebAssembly. */
export function registerDevices(create: CreateRuntime): void {
  createOnDevice = create;
}

/** Loads a build of onnxruntime-web and sets it up. */
export async function loadOnnxRuntime(
  load: () => Promise<OnnxRuntime>,
  { wasmPaths, threads }: WebRuntimeOptions,
): Promise<OnnxRuntime> {
  try {
    const ort = await load();
    if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
    if (threads !== undefined) ort.env.wasm.numThreads = threads;
    return ort;
  } catch (error) {
    throw new FoveaError('runtime', `onnxruntime-web does not load: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** How manifests name a build of onnxruntime-web on an execution provider. */
export const webRuntimeName = ({ env }: OnnxRuntime, provider: string): string =>
  `onnxruntime-web ${env.versions.web ?? env.versions.common} (${provider})`;

/** WebAssembly of a loaded build of onnxruntime-web. */
export const webAssemblyOf = (ort: OnnxRuntime): Runtime =>
  createOnnxRuntime(ort, {
    name: webRuntimeName(ort, 'wasm'),
    session: { executionProviders: ['wasm'] },
  });

/**
 * Creates a `Runtime` with onnxruntime-web, in browsers and in their workers.
 * @throws FoveaError `runtime` if onnxruntime-web does not load or a requested device cannot be used,
 * `usage` for an unknown device, an invalid number of threads, or WebGPU without
 * `import 'fovea/web/webgpu'`.
 */
export async function createWebRuntime(options: WebRuntimeOptions = {}): Promise<Runtime> {
  const { device = 'cpu', threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw new FoveaError('usage', `threads ${threads}: expected a whole number of at least 1`);
  if (device === 'cpu')
    return webAssemblyOf(await loadOnnxRuntime(() => import('onnxruntime-web/wasm'), options));
  if (createOnDevice) return createOnDevice(options);
  throw new FoveaError(
    'usage',
    `the device ${device} needs the build of ONNX Runtime with WebGPU: import 'fovea/web/webgpu'`,
  );
}
