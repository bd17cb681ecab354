import { namesIn, type Words } from '../../onnx/index.ts';
import type { RuleEntry, RuleTable } from '../rule.ts';

/**
 * The operators of each family. Each family is one file of this folder. `others.ts` contains the
 * operators without a gradient that belong to no family.
 */
const FAMILIES = {
  activation: `Celu Clip Elu Gelu HardSigmoid HardSwish Hardmax LeakyRelu LogSoftmax Mish PRelu Relu
    Selu Shrink Sigmoid Softmax Softplus Softsign Swish Tanh ThresholdedRelu
    com.microsoft:BiasGelu com.microsoft:FastGelu com.microsoft:Gelu com.microsoft:QuickGelu`,
  convolution: 'Conv ConvTranspose',
  einsum: 'Einsum',
  elementwise: `Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot
    BitwiseOr BitwiseXor Ceil Cos Cosh Div Equal Erf Exp Floor Greater GreaterOrEqual
    IsInf IsNaN Less LessOrEqual Log Max Mean Min Mod Mul Neg Not Or Pow Reciprocal Round Sign Sin
    Sinh Sqrt Sub Sum Tan Where Xor`,
  globalPooling: 'GlobalAveragePool GlobalLpPool GlobalMaxPool',
  indexing: `Compress Gather GatherElements GatherND NonZero OneHot Scatter ScatterElements
    ScatterND Slice`,
  linalg: 'Gemm MatMul',
  movement: `Concat CumSum DepthToSpace Pad Resize ReverseSequence SpaceToDepth Split Tile Trilu
    Upsample`,
  normalization: `BatchNormalization GroupNormalization InstanceNormalization LRN
    LayerNormalization LpNormalization MeanVarianceNormalization RMSNormalization
    SimplifiedLayerNormalization`,
  pooling: 'AveragePool LpPool MaxPool',
  quantization: `DequantizeLinear QuantizeLinear com.microsoft:DequantizeLinear
    com.microsoft:QuantizeLinear`,
  reduction: `ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare TopK Unique`,
  reshaping: 'Cast CastLike Dropout Expand Flatten Identity Reshape Squeeze Transpose Unsqueeze',
} as const;

/** A family of operators. */
export type Family = keyof typeof FAMILIES | 'others';

/** The entries of a family, one per operator. */
export type FamilyRules<F extends keyof typeof FAMILIES> = Readonly<
  Record<Words<(typeof FAMILIES)[F]>, RuleEntry>
>;

/** The entries of all families. */
export type AllRules = { readonly [F in keyof typeof FAMILIES]: FamilyRules<F> } & {
  readonly others: RuleTable;
};

const families = new Map(
  Object.entries(FAMILIES).flatMap(([family, names]) =>
    namesIn(names).map((name) => [name, family as Family] as const),
  ),
);

/** The family of an operator: `others` if no other family has an entry for it. */
export const familyOf = (operator: string): Family => families.get(operator) ?? 'others';

/**
 * Merges tables into one. The result has no prototype, because an operator may be called
 * `toString`.
 */
export const tableOf = (tables: readonly RuleTable[]): RuleTable =>
  Object.assign(Object.create(null), ...tables);
