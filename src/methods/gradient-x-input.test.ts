import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { sum } from '../tensor/statistics.ts';
import { CLASSES, HEIGHT, linearNet, linearWeights, picture, WIDTH } from './fixtures/nets.ts';
import { explainCase, haveReference, recordedCases } from './fixtures/reference.ts';

it('equals weight times input, summed over the channels, for a linear model', async () => {
  const area = HEIGHT * WIDTH;
  const { map } = await explain(await linearNet(), picture, {
    method: 'gradient-x-input',
    target: 1,
  });
  expect(map).toBeAllClose(
    Array.from({ length: area }, (_, i) =>
      sum(
        [0, 1, 2].map(
          (c) => linearWeights.data[(c * area + i) * CLASSES + 1] * picture.data[c * area + i],
        ),
      ),
    ),
  );
});

it('adds up to the score of a linear model', async () => {
  const model = await linearNet();
  const { data } = await model.classify(picture, { score: 'logit' });
  for (const target of [0, 1, 2]) {
    expect(
      sum((await explain(model, picture, { method: 'gradient-x-input', target })).map.data),
    ).toBeCloseTo(data[target], 3);
  }
});

describe.skipIf(!haveReference('pixel'))(
  'gradient-x-input as captum recorded it (needs ../shared)',
  () => {
    it.each(recordedCases('pixel').map((each) => [`${each.model} ${each.case}`, each] as const))(
      '%s',
      async (_, each) => {
        const expected = each.params.gradient_x_input.sum;
        const { data } = (await explainCase(each, 'gradient-x-input', {})).map;
        expect(Math.abs(sum(data) - expected)).toBeLessThan(
          1e-4 * data.reduce((all, value) => all + Math.abs(value), 0),
        );
      },
    );
  },
);
