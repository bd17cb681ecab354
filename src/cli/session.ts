import { throwIfCancelled } from '../errors.ts';
import type { Model } from '../model/model.ts';
import type { DownloadProgress } from '../node/hub.ts';
import { loadModel } from '../node/load-model.ts';
import type { Device } from '../runtime/runtime.ts';
import type { Output } from './output.ts';
import { requestPreprocessing } from './settings.ts';

/** The options for the model: which one is loaded, and how. */
export interface ModelFlags {
  /** The built-in demo-cnn if not given. */
  readonly model?: string;
  /** A file with the labels. */
  readonly labels?: string;
  readonly device: Device;
  readonly threads?: number;
  readonly preprocess?: readonly string[];
  /** The most pictures that the model scores; on a server, that are sent to it. */
  readonly budget?: number;
  /** A folder with the responses of a model on a server. */
  readonly requestCache?: string;
  readonly offline?: boolean;
}

/** A loaded model, and a function that loads a second one with the same options. */
export interface LoadedModel {
  readonly model: Model;
  readonly loadModel: (source: string) => Promise<Model>;
}

/** The default model. It was trained on drawn scenes only. */
const TOY = 'demo-cnn';

/**
 * Loads the model of a command, with a progress bar for downloads, and prints its warnings.
 * @param isToyFine - whether the default model fits the pictures, so that no note is needed
 */
export async function openModel(
  flags: ModelFlags,
  output: Output,
  signal: AbortSignal,
  isToyFine = false,
): Promise<LoadedModel> {
  throwIfCancelled(signal);
  const { device, threads, offline, labels, budget, requestCache } = flags;
  const onProgress = ({ file, bytes, total }: DownloadProgress) =>
    output.progress.update(total ? bytes / total : 0, `downloading ${file}`);
  const shared = { device, threads, offline, signal, onProgress };
  if (flags.model === undefined && !isToyFine) {
    output.note(
      `no --model is given: ${TOY} is used, a toy network that knows 32 kinds of drawn objects ` +
        'and nothing of photos',
    );
  }
  const model = await loadModel(flags.model ?? TOY, {
    ...shared,
    preprocessing: requestPreprocessing(flags.preprocess),
    labels,
    budget,
    requestCache,
  }).finally(() => output.progress.stop());
  for (const warning of model.warnings) output.note(warning);
  return { model, loadModel: (source) => loadModel(source, shared) };
}
