import { graphBuilder, inferShapes, withGraph } from '../../onnx/index.ts';
import type { Classifier } from './find-io.ts';

/**
 * Makes two classes of a classifier with one score: class 0 is what a low score means, class 1 what
 * a high score means. So both can be explained. Returns any other classifier unchanged.
 *
 *   logits (-x, x), each with its own sigmoid; probabilities (1 - p, p)
 */
export function withTwoClasses(classifier: Classifier): Classifier {
  const { model, types, output } = classifier;
  if (output.classes !== 1) return classifier;
  const b = graphBuilder({ extend: { ...model.graph, outputs: [] } });
  const both = (opposite: string, tensor: string): string =>
    b.output(b.add('Concat', [opposite, tensor], { axis: 1 }));
  const logits = output.logits && both(b.add('Neg', [output.logits]), output.logits);
  // σ(-x) keeps the digits that 1 - σ(x) loses if σ(x) is nearly 1.
  const ofProbability = (p: string): string => {
    if (logits) return b.output(b.add('Sigmoid', [logits]));
    const one = b.constant([1], [1], types.get(p)?.type ?? 'float32');
    return both(b.add('Sub', [one, p]), p);
  };
  const probabilities = output.probabilities && ofProbability(output.probabilities);
  const graph = b.finish();
  return {
    ...classifier,
    model: withGraph(model, graph),
    types: inferShapes(graph),
    output: {
      ...output,
      name: probabilities ?? logits ?? output.name,
      classes: 2,
      logits,
      probabilities,
      independent: true,
    },
  };
}
