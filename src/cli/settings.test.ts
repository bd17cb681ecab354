import { describe, expect, test } from 'vitest';
import { requestMethods, requestPreprocessing } from './settings.ts';

describe('--set', () => {
  test('values get the type of the option, and other options have their defaults', () => {
    const [occlusion] = requestMethods(
      ['occlusion'],
      ['occlusion.window=[16, 24]', 'occlusion.stride=4', 'occlusion.baseline=black'],
    );
    expect(occlusion?.options).toMatchObject({
      window: [16, 24],
      stride: 4,
      baseline: 'black',
    });
  });

  test('the method may be left out if there is only one', () => {
    expect(requestMethods(['occlusion'], ['stride=4'])[0]?.options).toMatchObject({ stride: 4 });
    expect(() => requestMethods(['occlusion', 'random'], ['stride=4'])).toThrow(
      'name the method too, as in occlusion.stride=VALUE',
    );
  });

  test('values are not checked here', () => {
    const [occlusion] = requestMethods(['occlusion'], [' strid = wide ']);
    expect(occlusion?.options).toEqual({ strid: 'wide' });
  });

  test('unknown names and values', () => {
    const deep = '['.repeat(20_000) + ']'.repeat(20_000);
    const [rise] = requestMethods(['rise'], ['__proto__={"N":5}', `N=${deep}`]);
    expect(Object.entries(rise?.options ?? {})).toEqual([
      ['__proto__', { N: 5 }],
      ['N', deep],
    ]);
  });

  test('the last of several settings is used', () => {
    expect(requestMethods(['occlusion'], ['stride=4', 'stride=5'])[0]?.options).toMatchObject({
      stride: 5,
    });
  });

  test.each([
    [['occlusion'], ['occlusion.stride'], '--set "occlusion.stride": expected OPTION=VALUE'],
    [['occlusion'], ['=4'], '--set "=4": expected OPTION=VALUE'],
    [['occlusion'], ['stride 4=5'], '--set "stride 4=5": expected OPTION=VALUE'],
    [['rise', 'random'], ['rise N=3'], '--set "rise N=3": expected METHOD.OPTION=VALUE'],
    [['occlusion'], ['random.x=1'], 'random is not among the requested methods (occlusion)'],
    [['occlusion'], ['gradcam.x=1'], 'unknown method "gradcam"'],
    [['nothing'], [], 'unknown method "nothing"'],
  ])('%j with %j is refused', (methodNames, settings, message) => {
    expect(() => requestMethods(methodNames, settings)).toThrow(message);
  });
});

describe('--preprocess', () => {
  test('values stay text', () => {
    expect(requestPreprocessing(['resize=crop', 'shorterSide=256', 'mean=[0.5, 0.5]'])).toEqual({
      resize: 'crop',
      shorterSide: '256',
      mean: '[0.5, 0.5]',
    });
    expect(requestPreprocessing()).toBeUndefined();
  });

  test('without a value is refused', () => {
    expect(() => requestPreprocessing(['crop'])).toThrow(
      '--preprocess "crop": expected NAME=VALUE',
    );
  });
});
