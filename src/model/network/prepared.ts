import type { Prepare } from '../../autodiff/index.ts';
import { inferShapes, type OnnxModel, type Shape, type TensorType } from '../../onnx/index.ts';
import type { Classifier, ClassifierInput } from '../classifier/find-io.ts';

/** The model of a classifier in the form that differentiates best, and its inferred tensors. */
export interface PreparedModel {
  readonly model: OnnxModel;
  readonly types: ReadonlyMap<string, TensorType>;
}

/**
 * The prepared model in which the tensors `names` exist. It is made when it is first asked for, and
 * once more for tensors that the usual form drops, such as those inside a layer normalization.
 */
export type Preparation = (names?: readonly string[]) => PreparedModel;

/** The shape of `n` pictures in the layout of a graph's input. */
export function inputShape(
  { layout, channels, height, width }: ClassifierInput,
  n: number | string,
): Shape {
  return layout === 'NCHW' ? [n, channels, height, width] : [n, height, width, channels];
}

/** Prepares a classifier's model once, to be cut and composed afterwards. */
export function preparationOf({ model, input }: Classifier, prepareModel: Prepare): Preparation {
  const declared = model.graph.inputs.find(({ name }) => name === input.name)?.shape ?? [];
  const inputShapes = { [input.name]: inputShape(input, declared[0] ?? 'n') };
  const prepare = (keep: readonly string[]) => {
    const prepared = prepareModel(model, { keep, inputShapes });
    const types = inferShapes(prepared.graph, { inputs: inputShapes });
    const computed = prepared.graph.nodes.flatMap((node) => node.outputs);
    return { model: prepared, types, tensors: new Set([input.name, ...computed]) };
  };
  type Made = ReturnType<typeof prepare>;
  let usual: Made | undefined;
  let special: { readonly key: string; readonly made: Made } | undefined;
  return (names = []) => {
    usual ??= prepare([]);
    const { tensors } = usual;
    if (names.every((name) => tensors.has(name))) return usual;
    const key = names.join('\n');
    if (special?.key !== key) special = { key, made: prepare(names) };
    return special.made;
  };
}
