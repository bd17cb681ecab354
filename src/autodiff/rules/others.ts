import { each } from '../../onnx/index.ts';
import { type RuleTable, refused, zero } from '../rule.ts';

/** Operators that have no gradient and belong to no other family. */
export const others: RuleTable = {
  ...each(
    'Constant ConstantOfShape Range Shape Size EyeLike',
    zero('it does not depend on the elements of its inputs'),
  ),
  ...each(
    'RandomNormal RandomUniform RandomNormalLike RandomUniformLike Bernoulli',
    zero('it returns random numbers'),
  ),
  If: refused('the data decide which branch runs; export the model without control flow'),
  ...each(
    'Loop Scan',
    refused('the data decide how often it repeats a graph; export the model without control flow'),
  ),
  ...each('RNN LSTM GRU', refused('Fovea has no gradient rules for recurrent layers')),
  ...each(
    `ConvInteger DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul
    com.microsoft:DynamicQuantizeMatMul com.microsoft:MatMulIntegerToFloat
    com.microsoft:MatMulNBits com.microsoft:QAttention com.microsoft:QGemm
    com.microsoft:QLinearAdd com.microsoft:QLinearAveragePool com.microsoft:QLinearConcat
    com.microsoft:QLinearGlobalAveragePool com.microsoft:QLinearLeakyRelu
    com.microsoft:QLinearMul com.microsoft:QLinearSigmoid com.microsoft:QLinearSoftmax`,
    refused(
      'integer arithmetic has no gradient; use the float model, or an export with ' +
        'QuantizeLinear and DequantizeLinear around float operators',
    ),
  ),
  ...each(
    `Attention com.microsoft:Attention com.microsoft:FusedConv com.microsoft:FusedGemm
    com.microsoft:FusedMatMul com.microsoft:MultiHeadAttention
    com.microsoft:SkipLayerNormalization com.microsoft:SkipSimplifiedLayerNormalization
    com.microsoft:TransposeMatMul`,
    refused('this form of the fused operator cannot be decomposed'),
  ),
  ...each(
    'MaxRoiPool RoiAlign',
    refused('Fovea has no gradient rule for pooling of regions, which detectors use'),
  ),
  'com.microsoft:GroupNorm': refused(
    'Fovea has no gradient rule for this operator of diffusion models',
  ),
};
