import { plain } from '../../autodiff/index.ts';
import type { ModelInside } from '../model.ts';
import type { Part } from './part-graph.ts';
import { type PartContext, resolveName, resolveNames, runPart } from './run-part.ts';

/** `ModelInside.activations`: runs the network, or the part after `at`, and reads tensors. */
export function activationsOf(context: PartContext): ModelInside['activations'] {
  const { classifier } = context;
  return async (names, batch, { at, replace: given = {}, ...options } = {}) => {
    const read = names.map((name) => resolveName(classifier, name));
    const replace = resolveNames(classifier, given);
    const part: Part = {
      at: at === undefined ? null : resolveName(classifier, at),
      replaced: Object.keys(replace),
      score: null,
      read,
      wrt: [],
      rules: plain,
    };
    const { info, output } = await runPart(context, part, { batch, replace, options });
    return read.map((name) => output(info.values.get(name)));
  };
}
