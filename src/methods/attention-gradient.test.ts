import { describe, expect, it } from 'vitest';
import { attentionNames, explainTokens, readAttention, smallVit } from './fixtures/attention.ts';

describe('attention-gradient', () => {
  // Barkan et al. 2021, equation 1, for one block.
  it('equals the class row of attention times positive gradient', async () => {
    const model = await smallVit();
    const products = (await readAttention(model, 2))((a, g) => a * Math.max(0, g));
    for (const [block, product] of products.entries()) {
      const { map, layer } = await explainTokens(model, 'attention-gradient', { block });
      expect(map).toBeAllClose(product[0].slice(1), { l2: 1e-5 });
      expect(layer).toBe(attentionNames(model)[block]);
    }
    const { map, manifest } = await explainTokens(model, 'attention-gradient');
    expect(map).toBeAllClose(products[1][0].slice(1), { l2: 1e-5 });
    expect(manifest.modelCalls).toEqual({ forward: 1, backward: 1 });
  });

  it('keeps negative gradients if relu is false', async () => {
    const model = await smallVit();
    const [, product] = (await readAttention(model, 2))((a, g) => a * g);
    const { map } = await explainTokens(model, 'attention-gradient', { relu: false });
    expect(map).toBeAllClose(product[0].slice(1), { l2: 1e-5 });
  });

  it('names the valid blocks in the error for an unknown block', async () => {
    await expect(
      explainTokens(await smallVit(), 'attention-gradient', { block: 2 }),
    ).rejects.toThrow('attention-gradient.block = 2: expected -2 to 1');
  });
});
