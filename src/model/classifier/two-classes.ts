import { graphBuilder, inferShapes, withGraph } from '../../onnx/index.ts';
import type { Classifier } from './find-io.ts';

/**
 * A classifier with one score, as networks for two classes often end, with two: what the score
 * speaks against, and what it speaks for. So either can be explained. Any other classifier stays.
 *
 *   logits (-x, x), each with a sigmoid of its own; probabilities (1 - p, p)
 */
export function withTwoClasses(classifier: Classifier): Classifier {
  const { model, types, output } = classifier;
  if (output.classes !== 1) return classifier;
  const b = graphBuilder({ extend: { ...model.graph, outputs: [] } });
  const both = (opposite: string, tensor: string): string =>
    b.output(b.add('Concat', [opposite, tensor], { axis: 1 }));
  const logits = output.logits && both(b.add('Neg', [output.logits]), output.logits);
  // σ(-x) keeps the digits that 1 - σ(x) loses where σ(x) is nearly 1.
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
