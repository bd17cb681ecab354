import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluationOf, folder, four, lines } from './fixtures/left-half.ts';
import type { EvaluationRecord } from './records.ts';
import { runEvaluation } from './run.ts';
import { openStore } from './store.ts';

const withoutTime = (records: readonly EvaluationRecord[]) =>
  records.map((record) => ({ ...record, seconds: 0 }));

describe('the store', () => {
  it('removes an incomplete last line, and computes only that score again', async () => {
    await runEvaluation(evaluationOf(four()), await openStore(folder));
    const path = join(folder, 'scores.jsonl');
    const whole = await readFile(path, 'utf8');
    for (const keep of [
      Math.floor(whole.length / 3),
      Math.floor(whole.length / 2) + 7,
      whole.length - 2,
    ]) {
      await writeFile(path, whole.slice(0, keep));
      const before = whole.slice(0, whole.lastIndexOf('\n', keep - 1) + 1);
      await runEvaluation(evaluationOf(four()), await openStore(folder));
      const after = await readFile(path, 'utf8');
      expect(after.startsWith(before)).toBe(true);
      expect(withoutTime(await lines())).toEqual(
        withoutTime(
          whole
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line)),
        ),
      );
    }
  });

  it('refuses a damaged line in the middle', async () => {
    await writeFile(join(folder, 'scores.jsonl'), 'rubbish\n{}\n');
    await expect(openStore(folder)).rejects.toThrow(
      'scores.jsonl, line 1 is not a score (it is not JSON)',
    );
  });

  it('ends the run if the disk is full, and keeps the scores so far', async () => {
    let room = 5;
    const append = async (path: string, line: string) => {
      if (room-- === 0)
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
          code: 'ENOSPC',
        });
      await writeFile(path, line, { flag: 'a' });
    };
    await expect(
      runEvaluation(evaluationOf(four()), await openStore(folder, undefined, append)),
    ).rejects.toMatchObject({
      code: 'output',
      message: expect.stringMatching(/cannot write .*scores\.jsonl: the disk is full/),
    });
    expect(await lines()).toHaveLength(5);
    await runEvaluation(evaluationOf(four()), await openStore(folder));
    expect(await lines()).toHaveLength(24);
  });
});
