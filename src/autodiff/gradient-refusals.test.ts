import { describe, expect, it } from 'vitest';
import { each, type Graph, graphBuilder, modelOf } from '../onnx/index.ts';
import { gradientGraph } from './complete.ts';
import { modelBy } from './fixtures/vector-models.ts';
import { refused } from './rule.ts';

describe('gradientGraph on a graph that cannot be differentiated', () => {
  const relu = modelBy((b, x) => b.add('Relu', [x], {}, 'y'));

  it('names the nearest tensor names if a tensor does not exist', () => {
    expect(() => gradientGraph(relu.graph, { of: 'z', wrt: ['x'] })).toThrow(
      'the model has no tensor "z". The nearest names are',
    );
  });

  it('reports that a tensor does not depend on another', () => {
    expect(() => gradientGraph(relu.graph, { of: 'x', wrt: ['y'] })).toThrow(
      'the tensor "x" does not depend on "y"',
    );
  });

  it('names the operator whose gradient is zero', () => {
    const model = modelBy((b, x) => b.add('Floor', [x], {}, 'y'));
    expect(() => gradientGraph(model.graph, { of: 'y', wrt: ['x'] })).toThrow(
      'no gradient of "y" reaches "x", for example because of the Floor node "y": it is constant',
    );
  });

  it('names nodes of control flow, custom operators and refused operators', () => {
    const branch: Graph = modelBy((b, x) => b.add('Neg', [x], {}, 'n')).graph;
    const inner = { ...branch, inputs: [], nodes: branch.nodes };
    const choice = modelBy((b, x) =>
      b.add(
        'If',
        [b.constant([1], [], 'bool')],
        { then_branch: inner, else_branch: inner },
        x === '' ? 'z' : 'y',
      ),
    );
    expect(() => gradientGraph(choice.graph, { of: 'y', wrt: ['x'] })).toThrow(
      'cannot be differentiated at the If node "y": the data decide which branch runs',
    );
    const custom = modelBy((b, x) => b.add('Blur', [x], {}, 'y', { domain: 'acme' }));
    expect(() => gradientGraph(custom.graph, { of: 'y', wrt: ['x'] })).toThrow(
      'the acme:Blur node "y": Fovea has no gradient rule',
    );
    const rules = each('Relu', refused('it is switched off'));
    expect(() => gradientGraph(relu.graph, { of: 'y', wrt: ['x'], rules })).toThrow(
      'it is switched off',
    );
  });

  it('allows refused operators that no gradient has to pass', () => {
    const model = modelBy((b, x) =>
      b.add(
        'Add',
        [x, b.add('Compress', [x, b.constant([1, 1, 1, 1], [4], 'bool')], { axis: 0 }, 'c')],
        {},
        'y',
      ),
    );
    expect(() => gradientGraph(model.graph, { of: 'y', wrt: ['x'] })).toThrow(
      'the Compress node "c"',
    );
    expect(() => gradientGraph(model.graph, { of: 'y', wrt: ['c'] })).not.toThrow();
  });

  it('reports that a convolution needs the sizes of its input', () => {
    const b = graphBuilder({ opset: 17 });
    const x = b.input('x', 'float32', ['n', 3, 'h', 'w']);
    b.output(
      b.add(
        'Conv',
        [x, b.constant(new Float32Array(27), [1, 3, 3, 3], 'float32', 'k')],
        { kernel_shape: [3, 3] },
        'y',
      ),
    );
    const { graph } = modelOf(b.finish());
    expect(() => gradientGraph(graph, { of: 'y', wrt: ['x'] })).toThrow(
      'the height and width of its input',
    );
    expect(() =>
      gradientGraph(graph, { of: 'y', wrt: ['x'], inputShapes: { x: ['n', 3, 8, 8] } }),
    ).not.toThrow();
  });
});
