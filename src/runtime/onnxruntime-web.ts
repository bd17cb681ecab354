import { FoveaError } from '../errors.ts';
import { createOnnxRuntime, type OnnxRuntime, reasonOf } from './onnxruntime.ts';
import type { Runtime } from './runtime.ts';

/** Options of `createWebRuntime`. */
export interface WebRuntimeOptions {
  /**
   * The device: `cpu` (WebAssembly, the default), `webgpu`, or `auto`. `auto` chooses WebGPU if it
   * starts and is faster, else WebAssembly. `webgpu` and `auto` need `import 'fovea/web/webgpu'`.
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
}

const NO_WEBGPU =
  'this browser has no usable WebGPU adapter: ' +
  'use the device cpu, or a browser with WebGPU on a secure (https) page';

async function hasAdapter(): Promise<boolean> {
  const gpu = (globalThis.navigator as { gpu?: { requestAdapter(): Promise<unknown> } } | undefined)
    ?.gpu;
  return gpu !== undefined && Boolean(await gpu.requestAdapter().catch(() => null));
}

let loadWebGpu: (() => Promise<OnnxRuntime>) | undefined;

/**
 * Registers the function with which `createWebRuntime` loads the build of onnxruntime-web with
 * WebGPU.
 */
export function registerWebGpu(load: () => Promise<OnnxRuntime>): void {
  loadWebGpu = load;
}

async function loadOnnxRuntime(
  webgpu: boolean,
  { wasmPaths, threads }: WebRuntimeOptions,
): Promise<OnnxRuntime> {
  try {
    const ort: OnnxRuntime =
      webgpu && loadWebGpu ? await loadWebGpu() : await import('onnxruntime-web/wasm');
    if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
    if (threads !== undefined) ort.env.wasm.numThreads = threads;
    return ort;
  } catch (error) {
    throw new FoveaError('runtime', `onnxruntime-web does not load: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function isFaster(ort: OnnxRuntime): Promise<boolean> {
  const { probe, speedOf } = await import('./probe.ts');
  const cpu = await probe(ort, 'speed', { executionProviders: ['wasm'] });
  const seconds = await speedOf(ort, { executionProviders: ['webgpu'] }, cpu);
  return seconds !== undefined && seconds < cpu.seconds;
}

async function choose(
  ort: OnnxRuntime,
  device: 'cpu' | 'webgpu' | 'auto',
  adapter: boolean,
): Promise<'wasm' | 'webgpu'> {
  if (!adapter) return 'wasm';
  if (device === 'auto') return (await isFaster(ort)) ? 'webgpu' : 'wasm';
  const { probe } = await import('./probe.ts');
  await probe(ort, 'start', { executionProviders: ['webgpu'] }).catch((error: unknown) => {
    const cause = error instanceof FoveaError ? error.cause : error;
    throw new FoveaError(
      'runtime',
      `the device webgpu does not start (${reasonOf(cause)}): ${NO_WEBGPU}`,
      { cause },
    );
  });
  return 'webgpu';
}

/**
 * Creates a `Runtime` with onnxruntime-web, in browsers and in their workers.
 * @throws FoveaError `runtime` if onnxruntime-web does not load or a requested device cannot start,
 * `usage` for an unknown device, an invalid number of threads, or WebGPU without
 * `import 'fovea/web/webgpu'`.
 */
export async function createWebRuntime(options: WebRuntimeOptions = {}): Promise<Runtime> {
  const { device = 'cpu', threads } = options;
  if (!['cpu', 'webgpu', 'auto'].includes(device)) {
    throw new FoveaError(
      'usage',
      `the device ${device} does not exist in browsers: expected cpu, webgpu or auto`,
    );
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw new FoveaError('usage', `threads ${threads}: expected a whole number of at least 1`);
  }
  if (device !== 'cpu' && !loadWebGpu) {
    throw new FoveaError(
      'usage',
      `the device ${device} needs the build of ONNX Runtime with WebGPU: import 'fovea/web/webgpu'`,
    );
  }
  const adapter = device !== 'cpu' && (await hasAdapter());
  if (device === 'webgpu' && !adapter)
    throw new FoveaError('runtime', `the device webgpu is not available: ${NO_WEBGPU}`);
  const ort = await loadOnnxRuntime(adapter, options);
  ort.env.logLevel = 'fatal';
  const provider = await choose(ort, device, adapter);
  const version = ort.env.versions.web ?? ort.env.versions.common;
  return createOnnxRuntime(ort, {
    name: `onnxruntime-web ${version} (${provider})`,
    session: { executionProviders: [provider] },
  });
}
