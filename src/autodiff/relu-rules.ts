import {
  dataInputs,
  type Graph,
  type Node,
  operatorKey,
  tensorNumbers,
  topologicalSort,
} from '../onnx/index.ts';
import type { BackwardRules } from './backward-rules.ts';
import type { RuleLookup } from './mark-path.ts';
import { findActivations } from './relevance/activations.ts';
import { varyingTensors } from './relevance/linear.ts';
import {
  type GradientRule,
  type RuleContext,
  type RuleEntry,
  type RuleTable,
  rule,
} from './rule.ts';
import { gradientRules } from './rules/index.ts';
import { cutAtZero } from './rules/quantization.ts';

/** The gradient of an operator, then max(·, 0). For Relu: dx = max(dy, 0) [y > 0]. */
function clamped(operator: string): GradientRule {
  return (at, dy) => {
    const entry = gradientRules[operator];
    const results = entry?.kind === 'rule' ? entry.rule(at, dy) : [];
    return results.map((dx) => (dx === '' ? '' : at.ops.op('Relu', [dx])));
  };
}

/** For y = max(x, 0): dx = max(dy, 0). The gate of the forward pass is not used. */
const rectified: GradientRule = (at, [dy = '']) => [at.ops.op('Relu', [dy])];

/**
 * For y = min(max(x, 0), b), a ReLU6 if b = 6: dx = max(dy [y < b], 0). The ReLU and the limit b
 * are two steps, and the limit keeps its ordinary gradient.
 */
const rectifiedBelow: GradientRule = (at, [dy = '']) => {
  const high = at.node.attributes.get('max');
  const bound = high?.type === 'float' ? high.value : at.has(2) ? at.numbers(2)?.[0] : undefined;
  const below = bound === undefined ? dy : at.ops.mul(dy, at.ops.below(at.output(0), bound));
  return [at.ops.op('Relu', [below])];
};

/**
 * Rules for the ReLUs of a graph. They apply to Relu and Clip, unless these are parts of another
 * activation, and to a QuantizeLinear into which a ReLU was fused.
 */
function reluRules(name: string, table: RuleTable): BackwardRules {
  return {
    name,
    key: '',
    prepare(graph) {
      const { isPiece } = findActivations(graph, varyingTensors(graph));
      const isRectified = rectifiedTensors(graph);
      const rules: RuleLookup = (node) => {
        const key = operatorKey(node);
        if (!Object.hasOwn(table, key)) return undefined;
        const isOwn = key === 'Relu' || key === 'Clip' ? !isPiece(node) : !isRectified(node);
        return isOwn ? table[key] : undefined;
      };
      return { graph, rules };
    },
  };
}

/** Operators that never return a negative number. */
const positive = new Set(['Relu', 'Sigmoid', 'HardSigmoid', 'Softmax', 'Softplus', 'Exp', 'Abs']);
/**
 * Operators that return no negative number if their inputs have none. The constants of an Add must
 * also not be negative.
 */
const keeping = new Set(
  `Identity Dropout Cast Reshape Flatten Squeeze Unsqueeze Transpose Slice Split Gather Concat Add
  Mul Max MaxPool AveragePool GlobalAveragePool GlobalMaxPool ReduceMean ReduceMax QuantizeLinear
  DequantizeLinear`.split(/\s+/),
);

/**
 * Returns a function that says whether a quantizer reads the picture or the result of a ReLU. Then
 * its limit at 0 is not a fused ReLU of the network.
 */
function rectifiedTensors(graph: Graph): (node: Node) => boolean {
  const varying = varyingTensors(graph);
  const rectified = new Set(dataInputs(graph).map(({ name }) => name));
  for (const node of topologicalSort(graph.nodes)) {
    const signals = node.inputs.filter((name) => varying.has(name));
    const min = node.attributes.get('min');
    const isCut = node.opType === 'Clip' && (min?.type === 'float' ? min.value >= 0 : true);
    const isKept =
      keeping.has(node.opType) &&
      signals.length > 0 &&
      (node.opType === 'Add' ? node.inputs : signals).every((name) => rectified.has(name));
    if (positive.has(node.opType) || isCut || isKept)
      for (const name of node.outputs) rectified.add(name);
    // The output of a quantizer without negative codes is never negative.
    if (node.opType === 'QuantizeLinear' && isUnsignedFromZero(graph, node))
      for (const name of node.outputs) rectified.add(name);
  }
  return (node) => rectified.has(node.inputs[0] ?? '');
}

/** Whether no code of a quantizer stands for a negative number. */
function isUnsignedFromZero(graph: Graph, node: Node): boolean {
  const zero = graph.initializers.get(node.inputs[2] ?? '');
  if (zero === undefined) return (node.inputs[2] ?? '') === '';
  return zero.type.startsWith('uint') && tensorNumbers(zero).every((value) => value === 0);
}

/**
 * The rule of a quantizer: `relu` if the quantizer limits its values at 0, its ordinary gradient
 * otherwise.
 */
function quantizer(relu: (at: RuleContext, dy: string, dx: string) => string): RuleEntry {
  const gradient: GradientRule = (at, dy) => {
    const entry = gradientRules[operatorKey(at.node)];
    const [dx = ''] = entry?.kind === 'rule' ? entry.rule(at, dy) : [];
    return [cutAtZero(at).min === 0 ? relu(at, dy[0] ?? '', dx) : dx];
  };
  return rule(gradient, { stop: [1, 2], straightThrough: true });
}

/**
 * Guided backpropagation (Springenberg et al. 2015): a ReLU passes on the positive part of its
 * gradient, dx = max(dy, 0) [y > 0]. For ReLU6: dx = max(dy, 0) [0 < y < 6].
 */
export const guidedBackprop: BackwardRules = reluRules('guided backpropagation', {
  Relu: rule(clamped('Relu')),
  Clip: rule(clamped('Clip'), { stop: [1, 2] }),
  QuantizeLinear: quantizer((at, _, dx) => at.ops.op('Relu', [dx])),
});

/**
 * DeconvNet (Zeiler & Fergus 2014): a ReLU rectifies the gradient and does not use its own gate, dx
 * = max(dy, 0). For ReLU6: dx = max(dy [y < 6], 0).
 */
export const deconvnet: BackwardRules = reluRules('DeconvNet', {
  Relu: rule(rectified),
  Clip: rule(rectifiedBelow, { stop: [1, 2] }),
  QuantizeLinear: quantizer((at, dy) => at.ops.op('Relu', [dy])),
});
