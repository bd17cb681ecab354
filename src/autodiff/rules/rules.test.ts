import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { randomTensor, runModel } from '../../onnx/fixtures/run.ts';
import { inferredOperators } from '../../onnx/index.ts';
import { gradientModel } from '../complete.ts';
import {
  type Case,
  caseFeeds,
  caseModel,
  differentiable,
  dot,
  floatsOf,
  readCases,
  relativeError,
} from '../fixtures/cases.ts';
import { gradientRules } from './index.ts';

const families = [
  'convolution',
  'pooling',
  'activation',
  'elementwise',
  'linalg',
  'normalization',
  'reduction',
  'movement',
  'indexing',
  'fused',
];

/** The gradients of a recorded node and its output. */
async function differentiate(item: Case, opset: number) {
  const model = caseModel(item, opset, item.batch);
  const {
    model: backward,
    cotangent,
    gradients,
  } = gradientModel(model, { of: 'y', wrt: differentiable(item), outputs: ['y'] });
  const feeds = {
    ...caseFeeds(item),
    [cotangent]: new Tensor('float32', floatsOf(item.cotangent), item.y.shape),
  };
  const results = await runModel(backward, feeds);
  return {
    model,
    y: results.y,
    gradient: (input: number): Tensor => results[gradients.get(`x${input}`) ?? ''],
  };
}

/**
 * The slope of <cotangent, y> along a direction, by central differences. This check is independent
 * of PyTorch.
 */
async function slope(
  item: Case,
  model: Awaited<ReturnType<typeof differentiate>>['model'],
  directions: ReadonlyMap<number, Float32Array>,
): Promise<number> {
  const step = 2 ** -7;
  const at = async (sign: number): Promise<number> => {
    const feeds = caseFeeds(item, (input, values) =>
      values.map((value, i) => value + sign * step * (directions.get(input)?.[i] ?? 0)),
    );
    return dot((await runModel(model, feeds)).y.data as Float32Array, floatsOf(item.cotangent));
  };
  return ((await at(1)) - (await at(-1))) / (2 * step);
}

describe.each(families)('the gradient rules of %s', (family) => {
  const cases = readCases(family).flatMap((item) =>
    item.opsets.map((opset) => ({
      item,
      opset,
      title: `${item.op} ${item.name} (opset ${opset})`,
    })),
  );
  it.each(cases)('agree with PyTorch and finite differences: $title', async ({ item, opset }) => {
    const { model, y, gradient } = await differentiate(item, opset);
    expect(relativeError(y.data as Float32Array, floatsOf(item.y.data))).toBeLessThan(1e-5);
    const directions = new Map<number, Float32Array>();
    let expected = 0;
    for (const [i, text] of item.gradients.entries()) {
      if (text === null) continue;
      expect(gradient(i).dims).toEqual(item.inputs[i]?.shape);
      expect(relativeError(gradient(i).data as Float32Array, floatsOf(text))).toBeLessThan(2e-5);
      const direction = randomTensor(gradient(i).dims, i + 7).data as Float32Array;
      directions.set(i, direction);
      expected += dot(gradient(i).data as Float32Array, direction);
    }
    if (!item.smooth || opset !== item.opsets[0]) return;
    const measured = await slope(item, model, directions);
    const size = Math.hypot(...floatsOf(item.cotangent));
    expect(Math.abs(measured - expected)).toBeLessThan(0.02 * Math.abs(expected) + 0.02 * size);
  });
});

describe('the table of rules', () => {
  it('has an entry for every operator that shape inference supports', () => {
    expect(inferredOperators.filter((name) => gradientRules[name] === undefined)).toEqual([]);
  });

  it('has a reason for every operator without a rule', () => {
    const silent = Object.entries(gradientRules).filter(
      ([, entry]) => entry.kind !== 'rule' && entry.reason.length < 10,
    );
    expect(silent).toEqual([]);
  });

  it('has a recorded case for every rule', () => {
    const recorded = new Set(
      families.flatMap(readCases).map(({ domain, op }) => (domain === '' ? op : `${domain}:${op}`)),
    );
    const unproven = Object.entries(gradientRules).flatMap(([name, { kind }]) =>
      kind === 'rule' && !recorded.has(name) ? [name] : [],
    );
    // Straight-through gradients are not derivatives. Another test checks them.
    expect(unproven.filter((name) => !/quantizeLinear$/i.test(name))).toEqual([]);
  });
});
