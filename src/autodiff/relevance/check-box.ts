import { FoveaError } from '../../errors.ts';
import { type Node, sourceOf } from '../../onnx/index.ts';

/** Operators that keep the values of the picture within the same bounds. */
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
 * Checks that the first convolution reads the values of the picture themselves, because the bounds
 * of the box rule hold only for these values.
 * @throws FoveaError `unsupported` if the convolution reads other values, or if there is no
 * convolution.
 */
export function checkBox(first: Node | undefined, producers: ReadonlyMap<string, Node>): void {
  const obstacle = first && producers.get(sourceOf(producers, first.inputs[0] ?? '', MOVERS));
  if (first && !obstacle) return;
  const reason = obstacle
    ? `the first convolution, ${first?.name || first?.outputs[0]}, reads the output of ` +
      `${obstacle.opType}`
    : 'this network has no convolution';
  throw new FoveaError(
    'unsupported',
    'the box rule needs a convolution that reads the values of the picture themselves, but ' +
      `${reason}: choose another composite, such as epsilon-plus-flat`,
  );
}
