import { expect, it } from 'vitest';
import { type Plugin, registerPlugin } from './plugin.ts';

const options = { '~standard': { version: 1, vendor: 'test', validate: () => ({ value: {} }) } };
const method = { name: 'plugged', needs: ['black-box'], options, explain: () => [] };

it.each([
  ['options that are an empty object', { ...method, options: {} }, /options are not a Standard/],
  ['options that cannot check', { ...method, options: { '~standard': {} } }, /not a Standard/],
  ['needs that are no list', { ...method, needs: 1 }, /methods\[0\], whose needs are not a list/],
  ['no function', { ...method, explain: 1 }, /methods\[0\], which is not a method/],
])('refuses a method with %s', (_, broken, message) => {
  const plugin: unknown = { methods: [broken] };
  expect(() => registerPlugin(plugin as Plugin)).toThrow(message);
});

it('takes a schema that is a function, as some libraries make them', () => {
  const made = Object.assign(() => {}, options);
  const plugin: unknown = { methods: [{ ...method, options: made }] };
  expect(() => registerPlugin(plugin as Plugin)).not.toThrow();
});
