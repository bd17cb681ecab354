import { expect, it } from 'vitest';
import { loadPrepare } from '../../autodiff/index.ts';
import { graphBuilder, inferShapes, modelOf } from '../../onnx/index.ts';
import { findInput, findOutput } from '../classifier/find-io.ts';
import { preparationOf } from './prepared.ts';

/** x, x / 2 + x / 2 erf(x / √2): a Gelu in the pieces that exporters write, then the mean. */
function classifierWithGelu() {
  const b = graphBuilder({ opset: 13 });
  const x = b.add('Identity', [b.input('picture', 'float32', ['n', 3, 4, 4])], {}, 'x');
  const error = b.add('Erf', [b.add('Div', [x, b.constant([Math.SQRT2], [])])], {}, 'error');
  const product = b.add('Mul', [x, b.add('Add', [error, b.constant([1], [])])]);
  const gelu = b.add('Mul', [product, b.constant([0.5], [])], {}, 'gelu');
  b.output(b.add('Flatten', [b.add('GlobalAveragePool', [gelu])], {}, 'logits'), 'float32', null);
  const model = modelOf(b.finish());
  const types = inferShapes(model.graph);
  const input = findInput(model.graph, [4, 4]);
  return { model, types, input, output: findOutput(model.graph, types) };
}

it('is made once, and again only for tensors that it removes', async () => {
  const classifier = classifierWithGelu();
  const prepared = preparationOf(classifier, await loadPrepare(classifier.model));
  const usual = prepared();
  expect(usual.model.graph.nodes.map(({ opType }) => opType)).toContain('Gelu');
  expect(usual.model.graph.opset.get('')).toBe(16);
  expect(prepared(['gelu', 'logits'])).toBe(usual);
  const special = prepared(['error', 'logits']);
  expect(special.types.get('error')?.shape).toEqual(['n', 3, 4, 4]);
  expect(prepared(['error', 'logits'])).toBe(special);
  expect(prepared()).toBe(usual);
});
