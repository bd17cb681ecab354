import { FoveaError } from '../errors.ts';
import { graphBuilder } from '../onnx/graph-builder.ts';
import { modelOf, writeModel } from '../onnx/model-proto.ts';
import { at } from '../tensor/at.ts';
import { createRandom } from '../tensor/random.ts';
import { createOnnxRuntime, type OnnxRuntime, type OrtSessionOptions } from './onnxruntime.ts';
import type { RuntimeTensor } from './runtime.ts';

const CHANNELS = 64;

/**
 * `start` shows whether a device works at all (15 million operations), `speed` how fast it is (0.9
 * billion).
 */
const SIZES = { start: { side: 14, layers: 1 }, speed: { side: 56, layers: 4 } } as const;

/** The kinds of probe. */
export type ProbeSize = keyof typeof SIZES;

/** The output of a device for a probe, and how long the device took once warm. */
export interface ProbeResult {
  readonly seconds: number;
  readonly output: Float32Array;
}

/** 3×3 convolutions of 64 channels, a piece of a common classifier. */
function probeModel(size: ProbeSize): Uint8Array {
  const { side, layers } = SIZES[size];
  const random = createRandom(0);
  const builder = graphBuilder({ opset: 13, name: 'probe' });
  const shape = [1, CHANNELS, side, side];
  let x = builder.input('x', 'float32', shape);
  const weights = Float32Array.from(
    { length: CHANNELS * CHANNELS * 9 },
    () => random.normal() / Math.sqrt(CHANNELS * 9),
  );
  for (let layer = 0; layer < layers; layer++) {
    const weight = builder.constant(weights, [CHANNELS, CHANNELS, 3, 3], 'float32', 'weight');
    x = builder.add(
      'Conv',
      [x, weight],
      { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
      layer === layers - 1 ? 'y' : undefined,
    );
  }
  builder.output('y', 'float32', shape);
  return writeModel(modelOf(builder.finish()));
}

/**
 * Runs a probe on one execution provider. CPU fallback is off: a provider that would hand the work
 * to the CPU fails.
 * @throws whatever the runtime throws where the provider cannot start.
 */
export async function probe(
  ort: OnnxRuntime,
  size: ProbeSize,
  options: OrtSessionOptions,
): Promise<ProbeResult> {
  const isCpu = options.executionProviders?.every(
    (provider) => provider === 'cpu' || provider === 'wasm',
  );
  const fallback = isCpu ? {} : { extra: { session: { disable_cpu_ep_fallback: '1' } } };
  const session = await createOnnxRuntime(ort, {
    name: 'probe',
    session: { ...options, ...fallback },
  }).createSession(probeModel(size));
  try {
    const random = createRandom(1);
    const { side } = SIZES[size];
    const data = Float32Array.from({ length: CHANNELS * side * side }, () => random.normal());
    const feeds: Record<string, RuntimeTensor> = {
      x: { type: 'float32', shape: [1, CHANNELS, side, side], data },
    };
    await session.run(feeds);
    const started = performance.now();
    const { y } = await session.run(feeds);
    const seconds = (performance.now() - started) / 1000;
    if (!(y?.data instanceof Float32Array))
      throw new FoveaError('internal', 'the probe returned no float32 output');
    return { seconds, output: y.data };
  } finally {
    await session.release();
  }
}

/**
 * A graphics driver in software needs longer than this for the small probe. Such a device never
 * beats the CPU.
 */
const SOFTWARE_DRIVER_SECONDS = 0.03;

/**
 * The speed of an accelerator; undefined if it does not start, if it is a software driver, or if
 * its output is not that of the CPU.
 */
export async function speedOf(
  ort: OnnxRuntime,
  options: OrtSessionOptions,
  cpu: ProbeResult,
): Promise<number | undefined> {
  try {
    const { seconds } = await probe(ort, 'start', options);
    if (seconds > SOFTWARE_DRIVER_SECONDS) return undefined;
    const result = await probe(ort, 'speed', options);
    return agrees(cpu.output, result.output) ? result.seconds : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether the output of a device is that of the CPU, up to the rounding of reduced-precision
 * arithmetic.
 */
export function agrees(reference: Float32Array, output: Float32Array): boolean {
  if (reference.length !== output.length) return false;
  const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return reference.every((value, i) => Math.abs(value - at(output, i)) <= 0.01 * largest);
}
