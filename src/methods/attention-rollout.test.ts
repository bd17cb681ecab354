import { describe, expect, it } from 'vitest';
import {
  explainTokens,
  identity,
  plus,
  readAttention,
  smallVit,
  times,
} from './fixtures/attention.ts';
import { describeAttentionReference } from './fixtures/reference.ts';

describe('attention-rollout', () => {
  // Abnar & Zuidema 2020, equation 1.
  it('equals the class row of the product of (A + I) / 2, whose rows add up to one', async () => {
    const model = await smallVit();
    const matrices = (await readAttention(model, 2))((a) => a).map((a) =>
      plus(a, identity).map((row) => row.map((value) => value / 2)),
    );
    const product = times(matrices[1], matrices[0]);
    expect(product.map((row) => row.reduce((a, b) => a + b))).toBeAllClose(
      new Array(product.length).fill(1),
      { atol: 1e-5 },
    );
    const { map, manifest } = await explainTokens(model, 'attention-rollout');
    expect(map).toBeAllClose(product[0].slice(1), { l2: 1e-5 });
    expect(map.shape).toEqual([4, 4]);
    expect(manifest.modelCalls).toEqual({ forward: 1, backward: 0 });
  });

  it('starts at a later block if asked to', async () => {
    const model = await smallVit();
    const [, last] = (await readAttention(model, 2))((a) => a);
    const { map } = await explainTokens(model, 'attention-rollout', { firstBlock: 1 });
    expect(map).toBeAllClose(
      last[0].slice(1).map((value) => value / 2),
      { l2: 1e-5 },
    );
    await expect(explainTokens(model, 'attention-rollout', { firstBlock: 2 })).rejects.toThrow(
      'attention-rollout.firstBlock = 2: expected 0 to 1',
    );
  });
});

describeAttentionReference('attention-rollout', 'rollout');
