import { FoveaError } from '../errors.ts';
import { graphBuilder } from '../onnx/graph-builder.ts';
import { modelOf, writeModel } from '../onnx/model-proto.ts';
import { at } from '../tensor/at.ts';
import { createRandom } from '../tensor/random.ts';
import { createOnnxRuntime, type OnnxRuntime, type OrtSessionOptions } from './onnxruntime.ts';
import type { RuntimeTensor } from './runtime.ts';

const CHANNELS = 64;

/**
 * `start` finds out whether a device works (15 million operations), and `speed` how fast it is (0.9
 * billion operations).
 */
const SIZES = { start: { side: 14, layers: 1 }, speed: { side: 56, layers: 4 } } as const;

/** The kinds of probe. */
export type ProbeSize = keyof typeof SIZES;

/** The output of a device for a probe, and the seconds of the second run, after a warm-up run. */
export interface ProbeResult {
  readonly seconds: number;
  readonly output: Float32Array;
}

/** A model of 3×3 convolutions with 64 channels, as in common classifiers. */
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
 * Runs a probe on one execution provider. CPU fallback is off, so a provider fails if it would run
 * a node on the CPU.
 * @throws the error of the runtime if the provider cannot start.
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
 * A software graphics driver needs more seconds than this for the probe `start`. Such a device is
 * never faster than the CPU.
 */
const SOFTWARE_DRIVER_SECONDS = 0.03;

/**
 * The seconds of an accelerator for the probe `speed`. Undefined if it does not start, if it is a
 * software driver, or if its output differs from that of the CPU.
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
 * Whether the output of a device equals that of the CPU, except for the rounding of
 * reduced-precision arithmetic: no difference exceeds 1% of the largest magnitude.
 */
export function agrees(reference: Float32Array, output: Float32Array): boolean {
  if (reference.length !== output.length) return false;
  const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return reference.every((value, i) => Math.abs(value - at(output, i)) <= 0.01 * largest);
}
