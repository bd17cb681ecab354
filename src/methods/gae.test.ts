import { expect, it } from 'vitest';
import {
  explainTokens,
  identity,
  type Matrix,
  plus,
  readAttention,
  smallVit,
  times,
} from './fixtures/attention.ts';
import { describeAttentionReference } from './fixtures/reference.ts';

// Chefer, Gur & Wolf 2021, equations 5 and 6.
it('passes relevance from block to block without normalizing it', async () => {
  const model = await smallVit();
  let relevance: Matrix = identity;
  for (const matrix of (await readAttention(model, 2))((a, g) => Math.max(0, a * g)))
    relevance = plus(relevance, times(matrix, relevance));
  const { map, manifest } = await explainTokens(model, 'gae');
  expect(map).toBeAllClose(relevance[0].slice(1), { l2: 1e-5 });
  expect(manifest.modelCalls).toEqual({ forward: 1, backward: 1 });
});

describeAttentionReference('gae', 'gae');
