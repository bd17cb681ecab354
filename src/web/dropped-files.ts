import { FoveaError } from '../errors.ts';
import type { ModelFiles } from '../model/files/model-files.ts';

/** The path of a file in the chosen folder, or its name. */
const pathOf = (file: File): string => file.webkitRelativePath || file.name;

/** The model among files: the only `.onnx`, or the one called `model.onnx`. */
function modelAmong(files: readonly File[]): File {
  const models = files.filter(({ name }) => /\.onnx$/i.test(name));
  const [only] = models.length > 1 ? models.filter(({ name }) => name === 'model.onnx') : models;
  if (only) return only;
  const names = (list: readonly File[]) =>
    list
      .slice(0, 5)
      .map(({ name }) => name)
      .join(', ');
  throw new FoveaError(
    'model',
    models.length > 1
      ? `the files contain ${models.length} models (${names(models)}): give one of them`
      : `the files (${names(files) || 'none'}) contain no .onnx file: export the model to ONNX`,
  );
}

/** `a/b/../c` as `a/c`. */
function settled(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

/**
 * A model and the files beside it, from a drop or an `<input type="file">`: the `.onnx`, its
 * `NAME.json` or Hugging Face files, and its files of weights.
 * @throws FoveaError `model` if there is no `.onnx` file, or if there are several.
 */
export async function modelFilesOf(files: readonly File[], name?: string): Promise<ModelFiles> {
  const model = modelAmong(files);
  const folders = pathOf(model).split('/').slice(0, -1);
  return {
    name: name ?? model.name.replace(/\.onnx$/i, ''),
    file: model.name,
    bytes: new Uint8Array(await model.arrayBuffer()),
    isInOnnxFolder: folders.at(-1) === 'onnx',
    read: async (path) => {
      const wanted = settled([...folders, path].join('/'));
      const found = files.find((file) => pathOf(file) === wanted);
      return found && new Uint8Array(await found.arrayBuffer());
    },
  };
}
