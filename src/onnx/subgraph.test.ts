import { describe, expect, it } from 'vitest';
import { exposeAll, randomTensor, runModel } from './fixtures/run.ts';
import { readBytes, sharedModels } from './fixtures/shared-models.ts';
import { smallModel } from './fixtures/small-model.ts';
import { graphBuilder, readModel, subgraph, withGraph } from './index.ts';

const model = smallModel();
const feeds = { x: randomTensor([2, 3, 8, 8]) };

describe('subgraph', () => {
  it('ends at an intermediate tensor', async () => {
    const part = subgraph(model.graph, { inputs: ['x'], outputs: ['relu'] });
    expect(part.nodes.map((node) => node.opType)).toEqual(['Conv', 'Relu']);
    expect([...part.initializers.keys()]).toEqual(['conv.weight']);
    expect(part.outputs[0]).toMatchObject({
      name: 'relu',
      type: 'float32',
      shape: ['batch', 4, 8, 8],
    });
    const [got, wanted] = [
      await runModel(withGraph(model, part), feeds),
      await runModel(exposeAll(model), feeds),
    ];
    expect(got.relu.data).toEqual(wanted.relu.data);
  });

  it('starts at an intermediate tensor, and computes the outputs of the whole model', async () => {
    const wanted = await runModel(exposeAll(model), feeds);
    const head = subgraph(model.graph, { inputs: ['relu'], outputs: ['logits'] });
    expect(head.inputs).toMatchObject([
      { name: 'relu', type: 'float32', shape: ['batch', 4, 8, 8] },
    ]);
    const got = await runModel(withGraph(model, head), { relu: wanted.relu });
    expect(got.logits.data).toEqual(wanted.logits.data);
  });

  it('names the nearest tensor names if a tensor does not exist', () => {
    expect(() => subgraph(model.graph, { inputs: ['x'], outputs: ['logit'] })).toThrow(
      /no tensor "logit". The nearest names are "logits"/,
    );
  });

  it('refuses a cut whose inputs do not determine its outputs', () => {
    const cut = (inputs: string[], outputs: string[]) => () =>
      subgraph(model.graph, { inputs, outputs });
    expect(cut(['logits'], ['relu'])).toThrow(
      'the output "relu" depends on the input "x" by a path that does not lead through "logits"',
    );
    expect(cut(['x', 'logits'], ['relu'])).toThrow('no output of "relu" depends on "logits"');
    expect(cut([], ['relu'])).toThrow(/^the output "relu" depends on the input "x"$/);
    expect(cut(['x'], ['x'])).toThrow('the output "x" does not depend on "x"');
    expect(cut(['x'], ['conv.weight'])).toThrow('the output "conv.weight" does not depend on "x"');
    const b = graphBuilder({ extend: model.graph });
    b.add('Neg', ['fc.weight'], {}, 'constant');
    expect(() => subgraph(b.finish(), { inputs: ['x'], outputs: ['logits', 'constant'] })).toThrow(
      '"constant" does not depend on "x"',
    );
  });

  it('renames an output of a kept node if it is an input of the subgraph', async () => {
    const b = graphBuilder({ opset: 17 });
    b.input('x', 'float32', [2, 4]);
    const [left, right] = b.add('Split', ['x'], { axis: 1 }, ['left', 'right']);
    b.output(b.add('Add', [left, b.add('Relu', [right])], {}, 'y'), 'float32');
    const part = subgraph(b.finish(), { inputs: ['x', 'left'], outputs: ['y'] });
    const got = await runModel(withGraph(model, part), {
      x: randomTensor([2, 4]),
      left: randomTensor([2, 2], 5),
    });
    expect(got.y.dims).toEqual([2, 2]);
  });

  const paths = sharedModels();
  it.skipIf(paths.length === 0).each(paths)('divides %s into two parts', async (path) => {
    const real = readModel(readBytes(path));
    const [input] = real.graph.inputs;
    const output = real.graph.outputs[0].name;
    const spatial = input.shape?.slice(1).map(Number) ?? [];
    const images = { [input.name]: randomTensor([1, ...spatial]) };
    const cutAt = narrowest(real, output);
    const body = await runModel(
      withGraph(real, subgraph(real.graph, { inputs: [input.name], outputs: [cutAt] })),
      images,
    );
    const head = await runModel(
      withGraph(real, subgraph(real.graph, { inputs: [cutAt], outputs: [output] })),
      body,
    );
    const whole = await runModel(real, images);
    expect(head[output].data).toEqual(whole[output].data);
  });
});

/**
 * The first tensor after 60% of the nodes through which all paths from the input to the output
 * lead.
 */
function narrowest(real: ReturnType<typeof readModel>, output: string): string {
  const { nodes } = real.graph;
  for (const node of nodes.slice(Math.floor(nodes.length * 0.6))) {
    try {
      subgraph(real.graph, { inputs: [node.outputs[0]], outputs: [output] });
      return node.outputs[0];
    } catch {
      // There is a path that does not lead through this tensor.
    }
  }
  throw new Error('no tensor separates the model');
}
