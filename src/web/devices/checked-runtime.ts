import { FoveaError } from '../../errors.ts';
import { plural } from '../../plural.ts';
import type { DeviceReport, SelfTest } from '../../runtime/device-report.ts';
import { type OnnxRuntime, reasonOf } from '../../runtime/onnxruntime.ts';
import {
  createWebRuntime,
  loadOnnxRuntime,
  type WebRuntimeOptions,
  webAssemblyOf,
} from '../../runtime/onnxruntime-web.ts';
import { probe } from '../../runtime/probe.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { at } from '../../tensor/at.ts';
import { VERSION } from '../../version.ts';
import { type Adapter, findAdapter } from './adapter.ts';
import { watchDevice } from './lost-device.ts';
import { compareDevices, wrongOnes } from './self-test.ts';
import { testGraphs } from './test-graphs.ts';
import { webGpuOf } from './webgpu-runtime.ts';

/** A runtime on the device that was chosen. */
export interface CheckedRuntime extends Runtime {
  readonly report: DeviceReport;
  /** WebAssembly of the same build; undefined if it was chosen. */
  readonly reference?: Runtime;
}

/** For the device `webgpu`, which the caller asked for. */
export const notAvailable = (reason: string): FoveaError =>
  new FoveaError('runtime', `the device webgpu is not available: ${reason}; use the device cpu`);

const NO_ADAPTER = 'this browser has no usable WebGPU adapter';

/** Why WebGPU is not worth a try. */
function obstacleOf(adapter: Adapter | undefined): string | undefined {
  if (!adapter) return NO_ADAPTER;
  if (adapter.isSoftware) return 'the WebGPU adapter of this browser is software';
  // onnxruntime issue 27584: the page ends after some hundred runs.
  if (/iPhone|iPad/.test(globalThis.navigator?.userAgent ?? ''))
    return 'WebGPU is not stable on this system';
  return undefined;
}

const onWebAssembly = async (
  options: WebRuntimeOptions,
  report: Omit<DeviceReport, 'device'>,
): Promise<CheckedRuntime> => ({
  ...(await createWebRuntime({ ...options, device: 'cpu' })),
  report: { ...report, device: 'wasm' },
});

/** Why the self-test does not allow the device; undefined if it does. */
function faultOf({ differences }: SelfTest): string | undefined {
  const [first, ...others] = wrongOnes(differences);
  if (first === undefined) return undefined;
  const more = others.length > 0 ? ` and ${plural(others.length, 'other test')}` : '';
  return `WebGPU does not compute what WebAssembly computes on this device (${first}${more})`;
}

/**
 * Starts WebGPU, and makes sure that it runs a graph without the CPU. ONNX Runtime destroys the
 * device with the last session, so one session stays for as long as the page or the worker lives.
 */
async function startDevice(ort: OnnxRuntime): Promise<void> {
  try {
    const { bytes } = await at(testGraphs, 0).make();
    await webGpuOf(ort).createSession(bytes);
    await probe(ort, 'start', { executionProviders: ['webgpu'] });
  } catch (error) {
    const cause = error instanceof FoveaError ? (error.cause ?? error) : error;
    throw new FoveaError('runtime', `WebGPU does not start (${reasonOf(cause)})`, { cause });
  }
}

/** Starts WebGPU and tests it, unless it was tested before. */
async function tryDevice(
  options: WebRuntimeOptions,
  adapter: Adapter,
): Promise<{ ort: OnnxRuntime; selfTest: SelfTest }> {
  const ort: OnnxRuntime = await loadOnnxRuntime(() => import('onnxruntime-web/webgpu'), options);
  const runtime = webGpuOf(ort);
  const { userAgent = '' } = globalThis.navigator ?? {};
  const key = [`fovea ${VERSION}`, runtime.name, adapter.name, userAgent].join(', ');
  const known = options.selfTest?.key === key ? options.selfTest : undefined;
  if (known && faultOf(known)) return { ort, selfTest: known };
  await startDevice(ort);
  if (known) return { ort, selfTest: known };
  const reference = webAssemblyOf(ort);
  return {
    ort,
    selfTest: { key, differences: await compareDevices({ device: runtime, reference }) },
  };
}

/**
 * The runtime for the device `webgpu` or `auto`. WebGPU is taken only if it computes what
 * WebAssembly computes for graphs that some devices compute wrong.
 * @throws FoveaError `runtime` if the device is `webgpu` and cannot be used.
 */
export async function createCheckedRuntime(options: WebRuntimeOptions): Promise<CheckedRuntime> {
  const { device } = options;
  if (device !== 'webgpu' && device !== 'auto')
    throw new FoveaError(
      'usage',
      `the device ${device} does not exist in browsers: expected cpu, webgpu or auto`,
    );
  const adapter = await findAdapter();
  const named = adapter && { adapter: adapter.name };
  const refuse = (reason: string, selfTest?: SelfTest) => {
    if (device === 'auto')
      return onWebAssembly(options, { ...named, reason, ...(selfTest && { selfTest }) });
    throw notAvailable(reason);
  };
  const obstacle = obstacleOf(adapter);
  if (!adapter || (obstacle && device === 'auto')) return refuse(obstacle ?? NO_ADAPTER);
  let found: Awaited<ReturnType<typeof tryDevice>>;
  try {
    found = await tryDevice(options, adapter);
  } catch (error) {
    return refuse(reasonOf(error));
  }
  const { ort, selfTest } = found;
  const fault = faultOf(selfTest);
  if (fault) return refuse(fault, selfTest);
  const reason = 'WebGPU computes what WebAssembly computes';
  return {
    ...watchDevice(webGpuOf(ort), await ort.env.webgpu?.device),
    reference: webAssemblyOf(ort),
    report: { device: 'webgpu', ...named, reason, selfTest },
  };
}
