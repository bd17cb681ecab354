import { describe, expect, test } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { createFunctionModel } from './function-model.ts';
import { IMAGENET_PREPROCESSING } from './input/preprocessing.ts';
import { parseTarget, resolveTargets, targetChooser } from './target.ts';

const labels = [
  'tank, army tank, armored combat vehicle',
  'crane',
  'tench, Tinca tinca',
  'crane',
  'great white shark',
];
const model = createFunctionModel({
  name: 'five',
  labels,
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [2, 2] },
  output: 'probabilities',
  classify: async () => tensor([1, 5]),
});
const probabilities = Float32Array.from([0.1, 0.2, 0.4, 0.25, 0.05]);

describe('resolveTargets', () => {
  test.each([
    ['top1', [2]],
    ['top:3', [2, 3, 1]],
    [4, [4]],
    [{ class: 'army tank' }, [0]],
    [{ class: ' Tank ' }, [0]],
    [{ class: 'tank, army tank, armored combat vehicle' }, [0]],
    [
      ['top:2', 2, { class: 'tench' }],
      [2, 3],
    ],
  ] as const)('%j names the classes %j', (spec, indices) => {
    const found = resolveTargets(model, probabilities, spec);
    expect(found.map(({ index }) => index)).toEqual(indices);
    expect(found[0]).toEqual({
      index: indices[0],
      label: labels[indices[0]],
      probability: probabilities[indices[0]],
    });
  });

  test.each([
    ['tnak', 'target "tnak" is not a class of five: did you mean "tank" (class 0)? expected top1'],
    ['Tinca', 'did you mean "Tinca tinca" (class 2)?'],
    ['whale shark', 'similar labels are 4 "great white shark"; expected'],
    ['giraffe', 'its labels are 0 "tank, army tank, armored combat vehicle", 1 "crane", 2 "tench'],
    [
      'crane',
      'target "crane" names 2 classes of five (1 "crane", 3 "crane"): give the class index; ' +
        'fovea inspect MODEL --classes "crane" lists them',
    ],
    ['5', 'target 5 is out of range: five has 5 classes, 0 to 4'],
    ['top:0', 'target "top:0": expected top:N with N of at least 1'],
  ])('%s is refused before a picture is classified', (text, message) => {
    expect(() => targetChooser(model, parseTarget(text))).toThrow(message);
  });

  test('an empty list is refused', () => {
    expect(() => targetChooser(model, [])).toThrow('the list of targets is empty');
  });
});
