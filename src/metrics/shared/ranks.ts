import { FoveaError } from '../../errors.ts';
import { at } from '../../tensor/at.ts';
import { argsortDescending } from '../../tensor/tensor.ts';

/**
 * The rank of each pixel in an order, [count]: ranks[order[i]] = i.
 * @throws FoveaError `usage` if `order` does not contain each of the `count` pixels once.
 */
export function ranksOf(order: ArrayLike<number>, count: number): Int32Array {
  const fail = (what: string): never => {
    throw new FoveaError(
      'usage',
      `the pixel order ${what}: expected each of 0 … ${count - 1} once`,
    );
  };
  if (order.length !== count) fail(`has ${order.length} entries`);
  const ranks = new Int32Array(count).fill(-1);
  for (let i = 0; i < count; i++) {
    const pixel = at(order, i);
    if (!(Number.isInteger(pixel) && pixel >= 0 && pixel < count)) fail(`contains ${pixel}`);
    if (ranks[pixel] !== -1) fail(`contains pixel ${pixel} twice`);
    ranks[pixel] = i;
  }
  return ranks;
}

/** The pixels by falling value, ties by index. Perturbation metrics use this order by default. */
export function pixelOrder(map: ArrayLike<number>): Uint32Array {
  return argsortDescending(map);
}
