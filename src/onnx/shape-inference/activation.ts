import { each } from '../operators.ts';
import { type RuleTable, sameAsInput } from './rule.ts';

/** Shape rules of activation functions. All of them keep shape and type. */
export const activation: RuleTable = {
  ...each('Relu LeakyRelu PRelu Elu Selu Celu ThresholdedRelu Shrink Clip', sameAsInput),
  ...each('Sigmoid HardSigmoid HardSwish Swish Mish Softplus Softsign Tanh Gelu', sameAsInput),
  ...each('Softmax LogSoftmax Hardmax', sameAsInput),
  ...each(
    'com.microsoft:Gelu com.microsoft:FastGelu com.microsoft:QuickGelu com.microsoft:BiasGelu',
    sameAsInput,
  ),
  ...each(
    'com.microsoft:QLinearSigmoid com.microsoft:QLinearLeakyRelu com.microsoft:QLinearSoftmax',
    sameAsInput,
  ),
};
