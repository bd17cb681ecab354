import { describe, expect, test } from 'vitest';
import { didYouMean, nearestNames, nearName } from './near-names.ts';

describe('nearName', () => {
  test.each([
    ['tnak', ['tench', 'tank'], 'tank'], // two neighbors swapped: one edit
    ['gradcam', ['rise', 'grad-cam', 'xgrad-cam'], 'grad-cam'],
    ['RISE', ['iassa', 'rise'], 'rise'],
    ['integ', ['iia', 'integrated-gradients'], 'integrated-gradients'],
    ['a', ['b'], 'b'], // one edit is always near
    ['ab', ['cd'], undefined],
    ['dragon', ['airplane', 'teapot'], undefined],
    ['x', [], undefined],
  ])('%s among %j: %s', (wrong, names, expected) => {
    expect(nearName(wrong, names)).toBe(expected);
  });
});

test('nearestNames offers the three nearest', () => {
  expect(nearestNames('conv2', ['relu', 'conv1', 'conv', 'conv22', 'add'])).toBe(
    ' The nearest names are "conv1", "conv", "conv22".',
  );
  expect(nearestNames('conv2', [])).toBe('');
});

test('didYouMean is a part of a message', () => {
  expect(didYouMean('gradcam', ['grad-cam'])).toBe('did you mean "grad-cam"? ');
  expect(didYouMean('dragon', ['teapot'])).toBe('');
});
