import { describe, expect, it } from 'vitest';
import { checkShapes } from '../fixtures/run.ts';
import { readBytes, sharedModels } from '../fixtures/shared-models.ts';
import { readModel } from '../index.ts';

const paths = sharedModels();

describe.skipIf(paths.length === 0)('inferShapes on real models', () => {
  it.each(paths)('agrees with ONNX Runtime on every shape of %s', async (path) => {
    const model = readModel(readBytes(path));
    const report = await checkShapes(model, { batch: 2 });
    expect(report.wrong).toEqual([]);
    expect(report.unknown).toEqual([]);
    expect(report.right).toBeGreaterThanOrEqual(model.graph.nodes.length);
  });
});
