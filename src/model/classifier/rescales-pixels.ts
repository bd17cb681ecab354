import { constantOf, type Graph, type Node } from '../../onnx/index.ts';

/** Operators at the start of a graph that do not change values; Transpose moves axes only. */
const PASSES = new Set(['Cast', 'Identity', 'Transpose', 'Dropout']);

/** The step x · scale + shift that a node computes; undefined for any other node. */
function stepOf(
  graph: Graph,
  node: Node,
  from: string,
): { scale: number; shift: number } | undefined {
  const at = node.inputs.indexOf(from);
  const values = constantOf(graph, node.inputs[1 - at] ?? '');
  if (node.inputs.length !== 2 || !values || values.length === 0) return undefined;
  const value = values.reduce((sum, each) => sum + each, 0) / values.length; // of all channels
  if (node.opType === 'Mul') return { scale: value, shift: 0 };
  if (node.opType === 'Add') return { scale: 1, shift: value };
  if (node.opType === 'Div' && at === 0 && value !== 0) return { scale: 1 / value, shift: 0 };
  if (node.opType === 'Sub') return { scale: at === 0 ? 1 : -1, shift: at === 0 ? -value : value };
  return undefined;
}

/** A scale below this makes numbers of 0 to 255 small; networks want about -3 to 3. */
const PIXEL_SCALE = 0.05;
/** A mean above this is a mean of pixels of 0 to 255. */
const PIXEL_MEAN = 10;

/**
 * Whether a graph starts by scaling pixels of 0 to 255 itself, as in x · (1/127.5) - 1, x / 255 or
 * x - 123.68. Keras and TensorFlow export such networks.
 * @param input - the picture input of the graph
 */
export function rescalesPixels(graph: Graph, input: string): boolean {
  let [tensor, scale, shift]: [string, number, number] = [input, 1, 0];
  for (let steps = 0; steps < 12; steps++) {
    const users = graph.nodes.filter((node) => node.inputs.includes(tensor));
    const [node] = users;
    if (!node || users.length > 1) break;
    const step = PASSES.has(node.opType) ? { scale: 1, shift: 0 } : stepOf(graph, node, tensor);
    const [output] = node.outputs;
    if (!step || output === undefined) break;
    [scale, shift] = [scale * step.scale, shift * step.scale + step.shift];
    tensor = output;
  }
  const mean = scale === 0 ? 0 : -shift / scale;
  return scale !== 0 && (Math.abs(scale) < PIXEL_SCALE || Math.abs(mean) > PIXEL_MEAN);
}
