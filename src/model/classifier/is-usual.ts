import { dataInputs, type OnnxModel, opsetOf } from '../../onnx/index.ts';

/** The lowest opset of the stages before a classifier, and of gradients. */
const OLDEST_OPSET = 9;

/** Whether a model already has the form that `usualForm` makes. Most exports have it. */
export function isUsual({ graph, functions }: OnnxModel): boolean {
  const types = new Set(graph.nodes.map(({ opType }) => opType));
  const sizes = dataInputs(graph).flatMap(({ shape }) => shape?.slice(1) ?? []);
  return (
    functions.length === 0 &&
    opsetOf(graph, { domain: '' }) >= OLDEST_OPSET &&
    sizes.every((size) => typeof size === 'number') &&
    !types.has('ZipMap') &&
    !(types.has('Reshape') && types.has('Concat'))
  );
}
