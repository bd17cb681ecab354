import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { methods } from '../../src/methods/index.ts';
import { describeOptions } from '../../src/option-words.ts';
import { ROOT } from '../browser/modules.ts';

it.each([...methods])('documents $name and each of its options', (method) => {
  const page = join(ROOT, 'docs/methods', `${method.name}.md`);
  expect(existsSync(page), `docs/methods/${method.name}.md exists`).toBe(true);
  const text = readFileSync(page, 'utf8');
  expect(describeOptions(method).filter(({ name }) => !text.includes(`\`${name}\``))).toEqual([]);
});
