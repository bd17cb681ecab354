import { throwIfCancelled } from '../errors.ts';
import type { Preprocessing } from '../model/input/preprocessing.ts';
import type { Model } from '../model/model.ts';
import { parseTarget, resolveTargets } from '../model/target.ts';
import type { DownloadProgress } from '../node/hub.ts';
import { loadModel } from '../node/load-model.ts';
import type { Device } from '../runtime/runtime.ts';
import { requestPreprocessing } from './options.ts';
import type { Output } from './output.ts';

/** The options that say which model is loaded, and how. */
export interface ModelFlags {
  readonly model: string;
  readonly device: Device;
  readonly threads?: number;
  readonly preprocess?: readonly string[];
  readonly offline?: boolean;
}

/** A loaded model, and how to load a second one in the same way. */
export interface LoadedModel {
  readonly model: Model;
  readonly loadModel: (source: string) => Promise<Model>;
}

/**
 * Loads the model of a command, with a progress bar for downloads, and says once what was assumed.
 */
export async function openModel(
  flags: ModelFlags,
  output: Output,
  signal: AbortSignal,
): Promise<LoadedModel> {
  throwIfCancelled(signal);
  const { device, threads, offline } = flags;
  const onProgress = ({ file, bytes, total }: DownloadProgress) =>
    output.progress.update(total ? bytes / total : 0, `downloading ${file}`);
  const load = (source: string, preprocessing?: Partial<Preprocessing>) =>
    loadModel(source, { device, threads, offline, preprocessing, signal, onProgress });
  const model = await load(flags.model, requestPreprocessing(flags.preprocess)).finally(() =>
    output.progress.stop(),
  );
  for (const warning of model.warnings) output.note(warning);
  return { model, loadModel: (source) => load(source) };
}

/**
 * Checks a target before any picture is touched.
 * @throws FoveaError `usage` for a label or index that the model does not have.
 */
export function checkTarget(model: Model, target: string): void {
  resolveTargets(model, new Float32Array(model.labels.length), parseTarget(target));
}
