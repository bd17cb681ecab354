import { describe, expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { picture, rootNet } from '../fixtures/nets.ts';
import { methods } from '../index.ts';

describe('gradient methods on a network without a finite gradient', () => {
  it.each(['gradient', 'integrated-gradients', 'guided-ig', 'blur-ig', 'xrai'])(
    '%s refuses it with a message',
    async (method) => {
      const answer = explain(await rootNet(), picture, {
        method: methods.get(method),
        target: 1,
        options: method === 'gradient' ? {} : { steps: 3 },
      });
      await expect(answer).rejects.toMatchObject({
        code: 'model',
        message: expect.stringMatching(
          /^root has NaN or infinite gradients for this picture.*use a method that needs scores only/,
        ),
      });
    },
  );
});
