import { describe, expect, it } from 'vitest';
import { attentionNames, explainTokens } from '../fixtures/attention.ts';
import {
  haveReference,
  REFERENCE_VIT,
  recorded,
  recordedCases,
  recordedInput,
  referenceModel,
} from '../fixtures/reference.ts';
import { smallNetwork } from '../fixtures/vit.ts';

it('attention methods refuse a network without suitable attention, with a reason', async () => {
  const [cnn, swin] = await Promise.all([smallNetwork('mobilenet-v2'), smallNetwork('swin')]);
  for (const method of ['attention-rollout', 'gae', 't-attr', 'attention-gradient']) {
    await expect(explainTokens(cnn, method)).rejects.toThrow(
      /in which all tokens attend to all tokens, but mobilenet-v2 has none/,
    );
    await expect(explainTokens(swin, method)).rejects.toThrow(/swin attends within windows/);
  }
});

describe.skipIf(!haveReference('vit'))('attention as recorded (needs ../shared)', () => {
  it('equals the attention of PyTorch', async () => {
    const vit = await referenceModel(REFERENCE_VIT);
    const [first] = recordedCases('vit');
    const names = attentionNames(vit);
    const values = (await vit.inside?.activations(names, recordedInput(first))) ?? [];
    const expected = recorded('vit', first.arrays.attention);
    const size = expected.data.length / names.length;
    for (const [l, value] of values.entries())
      expect(value).toBeAllClose(expected.data.subarray(l * size, (l + 1) * size), { l2: 1e-4 });
  });
});
