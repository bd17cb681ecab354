import { describe, expect, it } from 'vitest';
import { transformerAttribution as rules } from '../autodiff/index.ts';
import {
  attentionNames,
  explainTokens,
  identity,
  input,
  plus,
  readAttention,
  smallVit,
  TOKENS,
  times,
} from './fixtures/attention.ts';
import { describeAttentionReference } from './fixtures/reference.ts';
import { gradientsOf } from './shared/gradients.ts';

describe('t-attr', () => {
  // Chefer, Gur & Wolf 2021 (CVPR), equations 13 and 14: Ā = I + mean_h (∇A ⊙ R)⁺.
  it('equals the class row of the product of I + Ā, with propagated relevance', async () => {
    const model = await smallVit();
    const wrt = attentionNames(model);
    const request = { batch: input, wrt, targets: [2] };
    const slopes = (await gradientsOf(model, request)).gradients;
    const relevance = (await gradientsOf(model, { ...request, rules })).gradients;
    const [first, last] = wrt
      .map((_, block) =>
        Array.from({ length: TOKENS }, (__, i) =>
          Array.from({ length: TOKENS }, (___, j) => {
            const heads = [0, 1].map((head) => (head * TOKENS + i) * TOKENS + j);
            const [a, b] = heads.map((at) =>
              Math.max(0, slopes[block].data[at] * relevance[block].data[at]),
            );
            return (a + b) / 2;
          }),
        ),
      )
      .map((matrix) => plus(matrix, identity));
    const all = await explainTokens(model, 't-attr', { firstBlock: 0 });
    expect(all.map).toBeAllClose(times(last, first)[0].slice(1), { l2: 1e-5 });
    expect(all.manifest.modelCalls).toEqual({ forward: 2, backward: 2 });
    const { map } = await explainTokens(model, 't-attr');
    expect(map).toBeAllClose(last[0].slice(1), { l2: 1e-5 });
  });

  it('uses the attention with normalized rows in place of the relevance if asked to', async () => {
    const model = await smallVit();
    const matrices = (await readAttention(model, 2))((a, g) => Math.max(0, a * g)).map((matrix) =>
      plus(matrix, identity).map((row) => {
        const sum = row.reduce((a, b) => a + b);
        return row.map((value) => value / sum);
      }),
    );
    const { map } = await explainTokens(model, 't-attr', { relevance: 'attention', firstBlock: 0 });
    expect(map).toBeAllClose(times(matrices[1], matrices[0])[0].slice(1), { l2: 1e-5 });
  });

  it('names the valid blocks in the error for an unknown block', async () => {
    await expect(explainTokens(await smallVit(), 't-attr', { firstBlock: 2 })).rejects.toThrow(
      't-attr.firstBlock = 2: expected 0 to 1',
    );
  });
});

describeAttentionReference('t-attr', 'tattr_gradient', { relevance: 'attention' });
// The tolerance is large because relevance is divided by sums near zero: a change of the picture by
// 1e-7 changes the map of the last case by up to 7e-3.
describeAttentionReference('t-attr', 'tattr_lrp', {}, 7e-3);
