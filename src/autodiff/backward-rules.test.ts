import { describe, expect, it } from 'vitest';
import { graphBuilder, modelOf } from '../onnx/index.ts';
import { keyOfRules, plain } from './backward-rules.ts';
import { gradientModel } from './complete.ts';
import type { LrpOptions } from './relevance/lrp.ts';
import { deepLift, lrp } from './relevance-rules.ts';
import { type RuleTable, rule } from './rule.ts';

const options: LrpOptions = {
  first: 'epsilon',
  convolution: 'epsilon',
  dense: 'epsilon',
  epsilon: 1e-6,
  gamma: 0,
  alpha: 1,
  low: [],
  high: [],
};

describe('the key of a rule set', () => {
  it('is the same for the same table or function, and differs between equal copies', () => {
    const table = (): RuleTable => ({ Relu: rule((_, [dy = '']) => [dy]) });
    const mine = table();
    expect(keyOfRules(mine)).toBe(keyOfRules(mine));
    expect(keyOfRules(mine)).not.toBe(keyOfRules(table()));
    expect(keyOfRules(() => undefined)).not.toBe(keyOfRules(() => undefined));
    expect(keyOfRules(plain)).not.toBe(keyOfRules(deepLift));
  });

  it('depends on the options of LRP only', () => {
    expect(keyOfRules(lrp(options))).toBe(keyOfRules(lrp({ ...options })));
    expect(keyOfRules(lrp(options))).not.toBe(keyOfRules(lrp({ ...options, epsilon: 1e-3 })));
  });
});

it('gradientModel requires the option input for a model with two inputs', () => {
  const b = graphBuilder({ opset: 13 });
  const [x, other] = [b.input('x', 'float32', ['n', 2]), b.input('other', 'float32', ['n', 2])];
  b.output(b.add('Add', [b.add('Relu', [x]), other], {}, 'y'), 'float32', ['n', 2]);
  const model = modelOf(b.finish());
  const request = { of: 'y', wrt: ['x'], rules: deepLift };
  expect(() => gradientModel(model, request)).toThrow(
    'the model has 2 inputs (x, other): name in the option input ' +
      'the one that deep-lift starts from',
  );
  expect(gradientModel(model, { ...request, input: 'x' }).reference).toBe('x/reference');
  expect(gradientModel(model, { of: 'y', wrt: ['x'] }).reference).toBeNull();
});
