import type { RuleTable } from '../rule.ts';
import { activation } from './activation.ts';
import { convolution } from './convolution.ts';
import { einsum } from './einsum.ts';
import { elementwise } from './elementwise.ts';
import { type AllRules, tableOf } from './families.ts';
import { globalPooling } from './global-pooling.ts';
import { indexing } from './indexing.ts';
import { linalg } from './linalg.ts';
import { movement } from './movement.ts';
import { normalization } from './normalization.ts';
import { others } from './others.ts';
import { pooling } from './pooling.ts';
import { quantization } from './quantization.ts';
import { reduction } from './reduction.ts';
import { reshaping } from './reshaping.ts';

const families: AllRules = {
  activation,
  convolution,
  einsum,
  elementwise,
  globalPooling,
  indexing,
  linalg,
  movement,
  normalization,
  others,
  pooling,
  quantization,
  reduction,
  reshaping,
};

/**
 * The gradient entry of every operator that shape inference supports: a rule, a zero gradient, or a
 * refusal with a reason. The table has no prototype, because an operator may be called `toString`.
 */
export const gradientRules: RuleTable = tableOf(Object.values(families));
