import { stringAttribute } from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import { type GradientRule, type RuleContext, rule } from '../rule.ts';
import type { FamilyRules } from './families.ts';

/** The terms of an Einsum, with the output made explicit. */
function einsumTerms(at: RuleContext): { inputs: string[]; output: string } {
  const equation = stringAttribute(at.node, 'equation', '').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const inputs = left.split(',');
  if (right !== undefined) return { inputs, output: right };
  const letters = [...left.replaceAll('.', '').replaceAll(',', '')];
  const once = letters
    .filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter))
    .sort();
  return { inputs, output: (left.includes('...') ? '...' : '') + once.join('') };
}

/** y = Σ a b over the letters that are not in y. da is the same sum with a and dy exchanged. */
const einsumGradient: GradientRule = (at, [dy]) => {
  const { ops, node } = at;
  const { inputs, output } = einsumTerms(at);
  if (
    [...inputs, output].some(
      (term) => new Set(term.replace('...', '')).size < term.replace('...', '').length,
    )
  )
    at.refuse('an equation without diagonals');
  if (inputs.length !== node.inputs.length)
    at.refuse(`an equation with as many terms as it has inputs, ${node.inputs.length}`);
  return node.inputs.map((name, index) => {
    if (!at.needs(index)) return '';
    const others = inputs.flatMap((term, i) =>
      i === index ? [] : [{ term, tensor: at.input(i) }],
    );
    const available = new Set([output, ...others.map(({ term }) => term)].join(''));
    const wanted = elementAt(inputs, index);
    // If a letter is only in this operand, the gradient is constant along its axis.
    const kept = [...wanted].filter((letter) => available.has(letter)).join('');
    const equation = `${[output, ...others.map(({ term }) => term)].join()}->${kept}`;
    const gradient = ops.op('Einsum', [dy, ...others.map(({ tensor }) => tensor)], { equation });
    if (kept === wanted) return gradient;
    if (wanted.includes('.'))
      at.refuse('an equation without an ellipsis in an operand that has letters of its own');
    const missing = [...wanted].flatMap((letter, axis) => (available.has(letter) ? [] : [axis]));
    return ops.expandLike(ops.unsqueeze(gradient, missing), name);
  });
};

/** The gradient of Einsum. */
export const einsum: FamilyRules<'einsum'> = { Einsum: rule(einsumGradient) };
