import { describe, expect, it } from 'vitest';
import { type GraphBuilder, graphBuilder, modelOf, writeModel } from '../../onnx/index.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { createWebRuntime } from '../../runtime/onnxruntime-web.ts';
import { createOnnxModel } from '../onnx-model.ts';

const acme = { domain: 'acme', name: 'blur' };

/** A classifier of 8 × 8 pictures with something between its picture and its scores. */
function classifier(
  opset: number | Record<string, number>,
  between: (b: GraphBuilder, x: string) => string,
): Uint8Array {
  const b = graphBuilder({ opset });
  const features = between(b, b.input('x', 'float32', ['n', 3, 8, 8]));
  b.output(b.add('Flatten', [b.add('GlobalAveragePool', [features])]), 'float32', ['n', 3]);
  return writeModel(modelOf(b.finish()));
}

/** A classifier whose last node is a Softmax that reads nothing. */
function unwired(): Uint8Array {
  const b = graphBuilder({ opset: 13 });
  b.input('x', 'float32', ['n', 3, 8, 8]);
  b.output(b.add('Softmax', [], {}, 'y'), 'float32', ['n', 3]);
  return writeModel(modelOf(b.finish()));
}

const refused: [reason: string, bytes: Uint8Array, sentence: RegExp][] = [
  [
    'an operator of a custom domain',
    classifier({ '': 13, acme: 1 }, (b, x) => b.add('Blur', [x], {}, 'y', acme)),
    /^net: \S+ \S+ \(\w+\) has no operator acme:Blur \(node "blur"\): export the model with standard ONNX operators/,
  ],
  [
    'a node without its input',
    unwired(),
    /^net: its graph is not well formed: a node lacks inputs, attributes or outputs$/,
  ],
  [
    'a domain without a version',
    classifier(13, (b, x) => b.add('Blur', [x], {}, 'y', acme)),
    /^net: it has operators of the domain acme \(node "blur"\), but declares no version of it/,
  ],
  [
    'an operator newer than its opset',
    classifier(13, (b, x) => b.add('Gelu', [x], {}, 'y')),
    /does not know the operator Gelu \(node "y"\) in opset 13, which the model declares: export the model again/,
  ],
  [
    'an opset newer than the runtime',
    classifier(99, (b, x) => b.add('Relu', [x])),
    /^net: it is in opset 99, and \S+ \S+ \(\w+\) reads opsets up to 2\d: /,
  ],
  [
    'an operator without a kernel for its types',
    classifier(13, (b, x) => {
      const kernel = b.constant(new Float64Array(9).fill(1), [3, 3, 1, 1], 'float64');
      return b.add('Cast', [b.add('Conv', [b.add('Cast', [x], { to: 11 }), kernel], {}, 'y')], {
        to: 1,
      });
    }),
    /cannot compute the operator Conv \(node "y"\) for the element types that it has in the model: export the model in float32/,
  ],
];

describe.each([
  ['onnxruntime-node', () => createNodeRuntime({ threads: 1 })],
  ['onnxruntime-web', () => createWebRuntime({ threads: 1 })],
] as const)('a model that %s refuses', (_, create) => {
  it.each(refused)('for %s: one sentence says what to do', async (_reason, bytes, sentence) => {
    const error = await createOnnxModel({ name: 'net', bytes }, await create()).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: 'model', message: expect.stringMatching(sentence) });
  });
});

it('recognizes a file of a later format version', async () => {
  const bytes = classifier(13, (b, x) => b.add('Relu', [x]));
  expect(bytes[0]).toBe(8); // the field ir_version
  bytes[1] = 99;
  const error = await createOnnxModel(
    { name: 'net', bytes },
    await createNodeRuntime({ threads: 1 }),
  ).catch((e: unknown) => e);
  expect(error).toMatchObject({
    code: 'model',
    message: expect.stringMatching(
      /^net: its file has IR version 99, and .* reads versions up to \d+: set ir_version/,
    ),
  });
});
