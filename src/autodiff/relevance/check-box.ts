import { FoveaError } from '../../errors.ts';
import { type Node, sourceOf } from '../../onnx/index.ts';

/** Operators after which the values of the picture still lie between the same bounds. */
const MOVERS = new Set([
  'Identity',
  'Dropout',
  'Cast',
  'QuantizeLinear',
  'DequantizeLinear',
  'Transpose',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'Pad',
  'Slice',
]);

/**
 * Bounds of the picture hold for its own values only: the first convolution must read these.
 * @throws FoveaError `unsupported` if it reads others, or if there is no convolution.
 */
export function checkBox(first: Node | undefined, producers: ReadonlyMap<string, Node>): void {
  const obstacle = first && producers.get(sourceOf(producers, first.inputs[0] ?? '', MOVERS));
  if (first && !obstacle) return;
  const reason = obstacle
    ? `the first one, ${first?.name || first?.outputs[0]}, reads them after ${obstacle.opType}`
    : 'this network has none';
  throw new FoveaError(
    'unsupported',
    'the box rule needs a convolution that reads the values of the picture themselves, and ' +
      `${reason}: choose another composite, such as epsilon-plus-flat`,
  );
}
