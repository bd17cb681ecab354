import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { FoveaError } from '../errors.ts';
import { createOnnxRuntime, type OnnxRuntime, reasonOf } from './onnxruntime.ts';
import { probe, speedOf } from './probe.ts';
import type { Device, Runtime } from './runtime.ts';

/** Options of `createNodeRuntime`. */
export interface NodeRuntimeOptions {
  /**
   * The device; `cpu` by default. `auto` chooses the fastest device that starts and computes the
   * same as the CPU.
   */
  readonly device?: Device;
  /** Number of threads of the CPU device, 1 to 1024. Default: one per physical core. */
  readonly threads?: number;
}

type Accelerator = Exclude<Device, 'cpu' | 'auto'>;

/** The interface of onnxruntime-node, which has more than the common interface. */
interface NodeOnnxRuntime extends OnnxRuntime {
  listSupportedBackends(): { name: string; bundled: boolean }[];
}

type LoadNodeRuntime = () => Promise<NodeOnnxRuntime>;

const importNodeRuntime: LoadNodeRuntime = async () =>
  (await import('onnxruntime-node')) as NodeOnnxRuntime;

const HERE = `${process.platform} ${process.arch}`;

const INSTALL_CUDA =
  'the CUDA files of onnxruntime-node are not installed: ' +
  'run "ONNXRUNTIME_NODE_INSTALL=true npm rebuild onnxruntime-node" ' +
  'with a connection to the internet';

/** What the user can do if a device does not exist or does not start. */
const ADVICE: Record<Accelerator, { readonly absent: string; readonly failed: string }> = {
  webgpu: {
    absent: 'onnxruntime-node has no WebGPU for this platform: use the device cpu',
    failed:
      'no usable GPU adapter; on Linux it needs a Vulkan driver: install one, or use the ' +
      'device cpu',
  },
  cuda: {
    absent: 'onnxruntime-node has CUDA for Linux x64 only: use the device webgpu or cpu',
    failed:
      'it needs an NVIDIA driver, CUDA 12 and cuDNN 9 on the library path: install them, or ' +
      'use the device cpu',
  },
  coreml: {
    absent: 'Core ML exists on macOS only: use the device cpu or webgpu',
    failed: 'use the device cpu or webgpu',
  },
  dml: {
    absent: 'DirectML exists on Windows only: use the device cpu or webgpu',
    failed: 'use the device cpu or webgpu',
  },
};

/**
 * How to install onnxruntime-node. On Linux x64 its CUDA libraries, which it would download, are
 * skipped.
 */
const SKIP = HERE === 'linux x64' ? 'ONNXRUNTIME_NODE_INSTALL=skip ' : '';
const INSTALL_NODE = `run "${SKIP}npm install onnxruntime-node@1.30"`;

/** The reason why onnxruntime-node cannot be used. */
interface Missing {
  readonly reason: string;
  readonly cause: unknown;
}

async function loadOnnxRuntime(load: LoadNodeRuntime): Promise<NodeOnnxRuntime | Missing> {
  try {
    return await load();
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const reason = isMissing ? 'is not installed' : `does not load on ${HERE} (${reasonOf(cause)})`;
    return { reason: `onnxruntime-node ${reason}`, cause };
  }
}

/**
 * onnxruntime-web in Node. It runs in WebAssembly, needs no native code and is about five times
 * slower.
 */
async function createSubstitute(
  { reason, cause }: Missing,
  device: Device,
  threads: number | undefined,
): Promise<Runtime> {
  if (device !== 'cpu' && device !== 'auto')
    throw new FoveaError(
      'runtime',
      `the device ${device} is not available: ${reason}; ${INSTALL_NODE}`,
      { cause },
    );
  const ort: OnnxRuntime = await import('onnxruntime-web').catch((error: unknown) => {
    throw new FoveaError('runtime', `${reason}: ${INSTALL_NODE}`, { cause: error });
  });
  if (threads !== undefined) ort.env.wasm.numThreads = threads;
  const name = `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common} (wasm)`;
  return {
    ...createOnnxRuntime(ort, { name, session: { executionProviders: ['wasm'] } }),
    warnings: [`${reason}, so models run in WebAssembly, about five times slower: ${INSTALL_NODE}`],
  };
}

/** Whether the files of the CUDA provider are installed. The npm package does not contain them. */
function hasCudaFiles(): boolean {
  const main = createRequire(import.meta.url).resolve('onnxruntime-node');
  const folder = join(dirname(main), '..', 'bin', 'napi-v6', process.platform, process.arch);
  return ['shared', 'cuda'].every((part) =>
    existsSync(join(folder, `libonnxruntime_providers_${part}.so`)),
  );
}

/** The reason why a device cannot be tried, or undefined if it can. */
function obstacle(ort: NodeOnnxRuntime, device: Accelerator): string | undefined {
  if (!ort.listSupportedBackends().some(({ name }) => name === device))
    return `${ADVICE[device].absent} (this is ${HERE})`;
  return device === 'cuda' && !hasCudaFiles() ? INSTALL_CUDA : undefined;
}

function sessionOptions(device: Exclude<Device, 'auto'>, threads: number | undefined) {
  const pool = threads === undefined ? {} : { intraOpNumThreads: threads };
  // DirectML does not allow memory patterns.
  return {
    executionProviders: [device],
    ...pool,
    ...(device === 'dml' && { enableMemPattern: false }),
  };
}

/** The device that runs the probe in the shortest time. */
async function fastest(
  ort: NodeOnnxRuntime,
  threads: number | undefined,
): Promise<Exclude<Device, 'auto'>> {
  const cpu = await probe(ort, 'speed', sessionOptions('cpu', threads));
  let best: { device: Exclude<Device, 'auto'>; seconds: number } = {
    device: 'cpu',
    seconds: cpu.seconds,
  };
  for (const device of Object.keys(ADVICE) as Accelerator[]) {
    if (obstacle(ort, device) !== undefined) continue;
    const seconds = await speedOf(ort, sessionOptions(device, threads), cpu);
    if (seconds !== undefined && seconds < best.seconds) best = { device, seconds };
  }
  return best.device;
}

async function requireDevice(ort: NodeOnnxRuntime, device: Accelerator): Promise<void> {
  const reason = obstacle(ort, device);
  if (reason !== undefined)
    throw new FoveaError('runtime', `the device ${device} is not available: ${reason}`);
  await probe(ort, 'start', sessionOptions(device, undefined)).catch((error: unknown) => {
    const cause = error instanceof FoveaError ? error.cause : error;
    throw new FoveaError(
      'runtime',
      `the device ${device} does not start (${reasonOf(cause)}): ${ADVICE[device].failed}`,
      { cause },
    );
  });
}

/**
 * Creates a `Runtime` with onnxruntime-node. If that is not installed, it uses onnxruntime-web on
 * the CPU, with a warning. If a requested device does not exist, it throws and never silently uses
 * the CPU.
 * @param load - imports onnxruntime-node; tests replace it to simulate a machine without it
 * @throws FoveaError `runtime` if the device cannot start (the message says what to do), `usage`
 * for an unknown device or an invalid number of threads.
 */
export async function createNodeRuntime(
  { device = 'cpu', threads }: NodeRuntimeOptions = {},
  load = importNodeRuntime,
): Promise<Runtime> {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= 1024)) {
    throw new FoveaError('usage', `threads ${threads}: expected a whole number from 1 to 1024`);
  }
  if (device !== 'cpu' && device !== 'auto' && !(device in ADVICE)) {
    throw new FoveaError(
      'usage',
      `unknown device "${device}": expected cpu, ${Object.keys(ADVICE).join(', ')} or auto`,
    );
  }
  const ort = await loadOnnxRuntime(load);
  if ('reason' in ort) return createSubstitute(ort, device, threads);
  ort.env.logLevel = 'fatal';
  const chosen = device === 'auto' ? await fastest(ort, threads) : device;
  if (device !== 'auto' && device !== 'cpu') await requireDevice(ort, device);
  const version = ort.env.versions.node ?? ort.env.versions.common;
  return createOnnxRuntime(ort, {
    name: `onnxruntime-node ${version} (${chosen})`,
    session: sessionOptions(chosen, threads),
  });
}
