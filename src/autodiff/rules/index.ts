import { forEach, type RuleTable, refused, zero } from '../rule.ts';
import { activation } from './activation.ts';
import { convolution } from './convolution.ts';
import { elementwise } from './elementwise.ts';
import { indexing } from './indexing.ts';
import { linalg } from './linalg.ts';
import { movement } from './movement.ts';
import { normalization } from './normalization.ts';
import { pooling } from './pooling.ts';
import { quantization } from './quantization.ts';
import { reduction } from './reduction.ts';

/**
 * Operators whose outputs do not depend on the elements of their inputs, and those that run graphs
 * of their own.
 */
const others: RuleTable = {
  ...forEach(
    'Constant ConstantOfShape Range Shape Size EyeLike',
    zero('it does not depend on the elements of its inputs'),
  ),
  ...forEach(
    'RandomNormal RandomUniform RandomNormalLike RandomUniformLike Bernoulli',
    zero('it gives random numbers'),
  ),
  If: refused('which branch runs is decided by the data; export the model without control flow'),
  ...forEach(
    'Loop Scan',
    refused(
      'it repeats a graph a number of times that the data decides; export the model without ' +
        'control flow',
    ),
  ),
  ...forEach('RNN LSTM GRU', refused('recurrent layers are not differentiated')),
};

/**
 * The gradient of every operator whose shape inference knows: a rule, zero, or refused with a
 * reason. The table has no prototype: an operator may be called `toString`.
 */
export const gradientRules: RuleTable = Object.assign(Object.create(null), {
  ...elementwise,
  ...activation,
  ...convolution,
  ...pooling,
  ...linalg,
  ...normalization,
  ...quantization,
  ...reduction,
  ...movement,
  ...indexing,
  ...others,
} satisfies RuleTable);
