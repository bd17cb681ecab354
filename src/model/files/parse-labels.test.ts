import { expect, it } from 'vitest';
import { parseLabels } from './parse-labels.ts';

it.each([
  ['one per line', 'cat\ndog\n', ['cat', 'dog']],
  ['a byte order mark, Windows line ends, spaces', '\uFEFFcat \r\n dog\r\n\r\n', ['cat', 'dog']],
  ['numbers before them', '0: cat\n1: sea lion', ['cat', 'sea lion']],
  ['numbers and tabs', '0\tcat\n1\tdog', ['cat', 'dog']],
  [
    'WordNet ids',
    'n01440764 tench, Tinca tinca\nn01443537 goldfish',
    ['tench, Tinca tinca', 'goldfish'],
  ],
  ['names that begin with numbers', '3 of clubs\n2 of hearts', ['3 of clubs', '2 of hearts']],
  ['a JSON list', '["cat", "dog"]', ['cat', 'dog']],
  ['a JSON object, in the order of its numbers', '{"1": "dog", "0": "cat"}', ['cat', 'dog']],
  [
    'the class index of Keras',
    '{"0": ["n01", "tench"], "1": ["n02", "goldfish"]}',
    ['tench', 'goldfish'],
  ],
  ['a label that begins with a bracket', '[background]\ncat', ['[background]', 'cat']],
  ['control characters, which are shown', 'a\u001b]0;x\u0007\nb', ['a\\x1b]0;x\\x07', 'b']],
])('reads %s', (_what, text, labels) => {
  expect(parseLabels(text, 'labels.txt')).toEqual(labels);
});

it.each([
  ['an empty file', ' \n', 'labels.txt contains no labels: expected one per line'],
  [
    'an empty line between labels',
    'cat\n\ndog',
    'labels.txt: label 2 is empty: expected one per line',
  ],
  [
    'JSON of another form',
    '{"labels": 3}',
    'labels.txt: expected a list of labels, or an object of number: label',
  ],
  [
    'a hole in the numbers',
    '{"0": "a", "2": "b"}',
    'labels.txt: the classes must be numbered 0 to 1, each once',
  ],
])('refuses %s', (_what, text, message) => {
  expect(() => parseLabels(text, 'labels.txt')).toThrow(
    expect.objectContaining({ code: 'usage', message }),
  );
});
