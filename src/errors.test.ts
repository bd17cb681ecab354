import { expect, it } from 'vitest';
import { FoveaError } from './errors.ts';

it('shortens a long message in its middle, and escapes control characters', () => {
  const { message } = new FoveaError('model', `the tensor "\u001b${'x'.repeat(1e6)}" is missing`);
  expect(message).toMatch(/^the tensor "\\x1bxxx.* … xxx.*" is missing$/);
  expect(message.length).toBeLessThan(1500);
});
