import { describe, expect, it } from 'vitest';
import { checkShapes } from '../fixtures/run.ts';
import { readBytes, sharedModels } from '../fixtures/shared-models.ts';
import { readModel } from '../index.ts';

const paths = sharedModels();

describe.skipIf(paths.length === 0)('shapes of real models', () => {
  it.each(paths)('%s: every shape is as onnxruntime has it', async (path) => {
    const model = readModel(readBytes(path));
    const report = await checkShapes(model, { batch: 2 });
    expect(report.wrong).toEqual([]);
    expect(report.unknown).toEqual([]);
    expect(report.right).toBeGreaterThanOrEqual(model.graph.nodes.length);
  });
});
