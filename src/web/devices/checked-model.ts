import { messageOf } from '../../errors.ts';
import type { Model } from '../../model/model.ts';
import { createOnnxModel, type OnnxModelSource } from '../../model/onnx-model.ts';
import type { Differences } from '../../runtime/device-report.ts';
import type { WebRuntimeOptions } from '../../runtime/onnxruntime-web.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { createCheckedRuntime, notAvailable } from './checked-runtime.ts';
import { relativeDistance, type Sample, sampleOf } from './compare-models.ts';
import { largestDifference, rounded, TOLERANCE, wrongOnes } from './self-test.ts';
import { withDevice } from './with-device.ts';

/** A gradient jumps where rounding switches a ReLU, so it may differ by this share of its norm. */
const GRADIENT_TOLERANCE = 1e-2;

/** Infinity and NaN are not numbers in JSON. */
const inJson = (difference: number): number | string =>
  Number.isFinite(difference) ? rounded(difference) : 'not a number';

/** How much two devices differ for the same model. */
export function differencesOf(found: Sample, expected: Sample): Differences {
  const { gradient } = expected;
  return {
    scores: inJson(largestDifference(found.scores, expected.scores)),
    'altered copies': inJson(largestDifference(found.copies, expected.copies)),
    ...(gradient && {
      gradient: inJson(relativeDistance(found.gradient ?? new Float32Array(), gradient)),
    }),
  };
}

/** What of a model a device computes otherwise than WebAssembly. */
export const disagreements = ({ gradient, ...scores }: Differences): string[] => [
  ...wrongOnes(scores, TOLERANCE),
  ...wrongOnes(gradient === undefined ? {} : { gradient }, GRADIENT_TOLERANCE),
];

/** The model on a device, what it computes there, or why it does not run there. */
async function tryModel(source: OnnxModelSource, runtime: Runtime, target: number) {
  let model: Model | undefined;
  try {
    model = await createOnnxModel(source, runtime);
    return { model, sample: await sampleOf(model, target) };
  } catch (error) {
    await model?.dispose();
    return { failure: messageOf(error) };
  }
}

/**
 * A model on WebGPU if its scores and its gradient are those that it has on WebAssembly, and, for
 * the device `auto`, if it is faster there; else on WebAssembly.
 * @throws FoveaError as `createOnnxModel` does; `runtime` if the device is `webgpu` and the model
 * does not agree.
 */
export async function createCheckedModel(
  source: OnnxModelSource,
  options: WebRuntimeOptions,
): Promise<Model> {
  const runtime = await createCheckedRuntime(options);
  const { report, reference: webAssembly } = runtime;
  if (!webAssembly) return withDevice(await createOnnxModel(source, runtime), report);
  const reference = await createOnnxModel(source, webAssembly);
  const expected = await sampleOf(reference);
  const { model, sample, failure } = await tryModel(source, runtime, expected.target);
  const compared = sample && { model: differencesOf(sample, expected) };
  const wrong = compared ? disagreements(compared.model) : [];
  const fault =
    failure ??
    (wrong.length > 0
      ? `WebGPU and WebAssembly do not agree on ${wrong.join(' and ')} of this model`
      : undefined);
  const isAuto = options.device === 'auto';
  if (model && sample && !fault && (!isAuto || sample.seconds < expected.seconds)) {
    await reference.dispose();
    const reason = isAuto ? `${report.reason}, and is faster for this model` : report.reason;
    return withDevice(model, { ...report, ...compared, reason });
  }
  await model?.dispose();
  if (!isAuto) {
    await reference.dispose();
    throw notAvailable(fault ?? '');
  }
  const reason = fault ?? 'WebAssembly is faster for this model';
  return withDevice(reference, { ...report, ...compared, device: 'wasm', reason });
}
