import { FoveaError } from '../../errors.ts';
import { externalDataFiles, type OnnxModel } from '../../onnx/index.ts';
import type { ModelFiles } from './model-files.ts';

/**
 * The contents of the files with the weights of a model, by their names in the model file.
 * @throws FoveaError `model` for a name outside the model's folder, or a file that is missing.
 */
export async function readWeightFiles(
  model: OnnxModel,
  { name, file, read, readWeights = read }: ModelFiles,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const data = new Map<string, Uint8Array>();
  for (const location of externalDataFiles(model)) {
    const parts = location.split('/');
    if (parts.includes('..') || parts[0] === '' || /[\\:\0]/.test(location)) {
      throw new FoveaError(
        'model',
        `${name}: the model names weights outside its folder (${location}), which is refused`,
      );
    }
    if (location === file)
      throw new FoveaError('model', `${name}: the model names itself as the file of its weights`);
    const content = await readWeights(location);
    if (!content)
      throw new FoveaError(
        'model',
        `${name}: its weights are in the file ${location}, which is missing beside the model`,
      );
    data.set(location, content);
  }
  return data;
}
