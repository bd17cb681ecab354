import { describe, expect, test } from 'vitest';
import { requestMetrics } from './metric-options.ts';
import { requestMethods, settingsFor } from './settings.ts';

describe('requestMetrics', () => {
  test('reads protocols and options', () => {
    const [deletion, rows] = requestMetrics(
      ['deletion', 'f1:chefer-2021-rows'],
      ['deletion.step=448', 'rise.N=7'],
    );
    expect(deletion).toMatchObject({ key: 'deletion', preset: undefined, options: { step: 448 } });
    expect(rows).toMatchObject({
      key: 'f1:chefer-2021-rows',
      preset: 'chefer-2021-rows',
      options: {},
    });
    expect(rows?.metric.name).toBe('f1');
  });

  test('ignores settings of methods', () => {
    const settings = ['deletion.step=448', 'rise.N=7'];
    expect(requestMethods(['rise', 'random'], settingsFor(settings))[0]?.options).toMatchObject({
      N: 7,
    });
    expect(() => requestMethods(['iia', 'random'], settingsFor(settings))).toThrow(
      'rise is not among the requested methods',
    );
  });

  test.each([
    [['delation'], [], 'unknown metric "delation"'],
    [['f1'], ['deletion.step=448'], 'deletion is not among the requested metrics'],
  ])('%j %j', (keys, settings, message) => {
    expect(() => requestMetrics(keys, settings)).toThrow(message);
  });
});
