import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { FoveaError, messageOf } from '../errors.ts';
import { type MethodRun, runMethod, withinBudget } from '../explain.ts';
import { resolveTargets } from '../model/target.ts';
import { readImage } from '../node/read-image.ts';
import { type PreparedInput, prepareInput } from '../prepare-input.ts';
import { decodeNpy } from '../tensor/npy.ts';
import { withChecks } from './map-checks.ts';
import { keptResult, type Result, type ResultSource, saveResult } from './result-files.ts';
import { isInterruption, type Run, type RunItem, reportFailure } from './run.ts';

/** The bytes of a file; a problem is an `image` error. */
async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new FoveaError('image', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Reads and classifies a picture. A problem of a preprocessed input (its shape, values or header)
 * concerns this file only, so it is not a `usage` error.
 */
async function prepareFile({ model, signal }: Run, file: string): Promise<PreparedInput> {
  try {
    const isNpy = file.toLowerCase().endsWith('.npy');
    const source = isNpy ? decodeNpy(await readBytes(file), file) : await readImage(file);
    return await prepareInput(model, source, signal);
  } catch (cause) {
    if (cause instanceof FoveaError && cause.code === 'usage')
      throw new FoveaError('image', cause.message, { cause });
    throw cause;
  }
}

/** The results of one method on one picture: kept ones, or new ones, which it writes. */
async function* explainFile(
  run: Run,
  given: ResultSource,
  item: RunItem,
  onProgress: (share: number) => void,
): AsyncGenerator<Result> {
  const { model, seed, budget, batchSize, signal, loadModel } = run;
  const { prepared } = given;
  const targets = resolveTargets(model, prepared.probabilities, item.targets);
  const method = withinBudget(given.method, budget, prepared, targets.length);
  const source = { ...given, method };
  if (run.resume) {
    const kept = await Promise.all(targets.map((target) => keptResult(run, source, target)));
    if (!kept.includes(undefined)) {
      for (const result of kept) if (result) yield result;
      return;
    }
  }
  const explanations = await runMethod(model, prepared, method, {
    target: item.targets,
    seed,
    budget,
    batchSize,
    signal,
    loadModel,
    imageName: basename(item.file),
    onProgress,
  });
  const known = model.warnings.length;
  for (const each of explanations) {
    const explanation = await withChecks(run, item.file, prepared, each);
    const result = await saveResult(run, source, explanation);
    for (const warning of explanation.manifest.warnings.slice(known))
      run.output.note(`${item.file}: ${warning}`);
    yield result;
  }
}

/**
 * Explains each picture with each method, and writes each result at once. A picture that cannot be
 * read, or a method that fails on a picture, is reported and counted, and the run goes on. A method
 * that refuses its options or the model (a `usage` error) does not run on the other pictures.
 * @throws FoveaError `cancelled` if the signal fires.
 */
export async function* explainFiles(run: Run): AsyncGenerator<Result> {
  const { items, tally, output } = run;
  const open = new Set<MethodRun>(run.methods);
  for (const [position, item] of items.entries()) {
    const { file } = item;
    const progress = (share: number, what: string) =>
      output.progress.update(
        (position + share) / items.length,
        items.length === 1 ? what : `picture ${position + 1} of ${items.length}, ${what}`,
      );
    if (open.size === 0) return;
    try {
      progress(0, basename(file));
      const prepared = await prepareFile(run, file);
      const several = resolveTargets(run.model, prepared.probabilities, item.targets).length > 1;
      for (const [i, method] of [...open].entries()) {
        const { name } = method.method;
        const report = (share: number) =>
          progress((i + share) / open.size, `${basename(file)} · ${name}`);
        report(0);
        try {
          const source = { file, method, prepared, several };
          for await (const result of explainFile(run, source, item, report)) {
            tally.results += 1;
            yield result;
          }
        } catch (error) {
          if (isInterruption(error)) throw error;
          reportFailure(run, file, error, name);
          if (error instanceof FoveaError && error.code === 'usage') open.delete(method);
        }
      }
    } catch (error) {
      if (isInterruption(error)) throw error;
      reportFailure(run, file, error);
    }
  }
}
