import { type Node, operatorKey } from '../../onnx/index.ts';
import type { RuleTable } from '../rule.ts';
import { type AllRules, type Family, familyOf, tableOf } from './families.ts';

const lastLayers = () => import('./last-layers.ts');

/** Loads the file of each family. A bundler makes one chunk per file. */
const files: { readonly [F in Family]: () => Promise<Pick<AllRules, F>> } = {
  activation: () => import('./activation.ts'),
  convolution: () => import('./convolution.ts'),
  einsum: () => import('./einsum.ts'),
  elementwise: () => import('./elementwise.ts'),
  globalPooling: lastLayers,
  indexing: () => import('./indexing.ts'),
  linalg: lastLayers,
  movement: () => import('./movement.ts'),
  normalization: () => import('./normalization.ts'),
  others: () => import('./others.ts'),
  pooling: () => import('./pooling.ts'),
  quantization: () => import('./quantization.ts'),
  reduction: () => import('./reduction.ts'),
  reshaping: lastLayers,
};

const loadFamily = async <F extends Family>(family: F): Promise<AllRules[F]> =>
  (await files[family]())[family];

/**
 * Loads the entries of the operators of `nodes`. The table contains all entries of the families of
 * these operators.
 */
export async function loadRules(nodes: readonly Node[]): Promise<RuleTable> {
  const families = new Set(nodes.map((node) => familyOf(operatorKey(node))));
  return tableOf(await Promise.all([...families].map(loadFamily)));
}
