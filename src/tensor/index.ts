export { decodeNpy, encodeNpy } from './npy.ts';
export { createRandom, type Random } from './random.ts';
export { extent, mean, pearson, quantile, spearman, sum } from './statistics.ts';
export {
  argmax,
  argsortDescending,
  reshape,
  sizeOf,
  slab,
  softmax,
  type Tensor,
  tensor,
} from './tensor.ts';
