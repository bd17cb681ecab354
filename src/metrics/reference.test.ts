import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { riseBlurKernel } from '../image/blur.ts';
import type { Model } from '../model/model.ts';
import { createOnnxModel } from '../model/onnx-model.ts';
import { createNodeRuntime } from '../runtime/onnxruntime-node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { decodeNpy } from '../tensor/npy.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { deletion } from './deletion.ts';
import { insertion } from './insertion.ts';

const shared = new URL('../../../shared/', import.meta.url);
const folder = new URL('reference/causal/', shared);
const available =
  existsSync(new URL('cases.json', folder)) &&
  existsSync(new URL('models/mobilenet_v2.onnx', shared));
if (!available)
  console.warn(
    'skipped: ../shared/reference/causal and ../shared/models are needed to compare with ' +
      'the code of RISE',
  );

interface StoredArray {
  readonly file: string;
  readonly scale?: number;
}

interface Case {
  readonly case: string;
  readonly model: string;
  readonly target: number;
  readonly auc: Readonly<Record<string, number>>;
  readonly arrays: Readonly<Record<string, StoredArray>>;
}

const read = (path: string): Tensor => decodeNpy(readFileSync(new URL(path, shared)), path);
const cases: Case[] = available
  ? JSON.parse(readFileSync(new URL('cases.json', folder), 'utf8')).cases
  : [];

/**
 * A stored map of a case. Its scale does not matter, because only the order of the pixels counts.
 */
const mapOf = (one: Case, kind: string) =>
  read(
    kind === 'iia'
      ? `reference/causal/${one.arrays.iia_map.file}`
      : `reference/rise/${one.model}_${one.case}_map.npy`,
  );

/** A runtime that records the number of bytes of the inputs of each run. */
async function watchedRuntime(): Promise<{ runtime: Runtime; runs: number[] }> {
  const { name, createSession } = await createNodeRuntime();
  const runs: number[] = [];
  const watched: Runtime = {
    name,
    createSession: async (bytes) => {
      const session = await createSession(bytes);
      return {
        run: (feeds) => {
          runs.push(Object.values(feeds).reduce((sum, { data }) => sum + data.byteLength, 0));
          return session.run(feeds);
        },
        release: () => session.release(),
      };
    },
  };
  return { runtime: watched, runs };
}

describe.skipIf(!available)('deletion and insertion of the authors of RISE', () => {
  let model: Model;
  let runs: number[];
  beforeAll(async () => {
    const watched = await watchedRuntime();
    runs = watched.runs;
    model = await createOnnxModel(
      { name: 'mobilenet_v2', bytes: readFileSync(new URL('models/mobilenet_v2.onnx', shared)) },
      watched.runtime,
    );
  });
  afterAll(() => model?.dispose());

  const contextOf = (one: Case, kind: string) => ({
    model,
    input: read(`reference/inputs/${one.model}_${one.case}_input.npy`),
    map: mapOf(one, kind),
    target: { index: one.target },
  });
  const curves = [
    ['del', deletion],
    ['ins', insertion],
  ] as const;

  it('use the same blur', () => {
    const { data } = riseBlurKernel(11, 5);
    expect(data).toBeAllClose(read('reference/causal/blur_kernel.npy').data, { atol: 5e-8 });
  });

  const replays = cases
    .slice(0, 2)
    .map((one, i) => [one.case, i === 0 ? 'rise' : 'iia', one] as const);
  it.each(replays)('equal the recorded values for %s, map %s', async (_name, kind, one) => {
    const order = read(`reference/causal/${one.arrays[`${kind}_order`].file}`).data;
    for (const [name, metric] of curves) {
      const { value, curve, preset } = await metric.score({ ...contextOf(one, kind), order });
      const recorded = read(`reference/causal/${one.arrays[`${kind}_${name}`].file}`).data;
      expect(curve?.y).toHaveLength(225);
      curve?.y.forEach((y, i) =>
        expect(Math.abs(y - recorded[i]), `${name} score ${i}`).toBeLessThan(2e-5),
      );
      expect(Math.abs((value as number) - one.auc[`${kind}_${name}`])).toBeLessThan(5e-6);
      expect(preset).toBe('rise-2018');
    }
  });

  it('agree even if ties are in another order', async () => {
    const one = cases[2];
    for (const [name, metric] of curves) {
      const { value } = await metric.score(contextOf(one, 'iia'));
      expect(
        Math.abs((value as number) - one.auc[`iia_${name}`]),
        `${one.case} ${name}`,
      ).toBeLessThan(2e-3);
    }
  });

  it('send no pictures to the model, only ranks and two bounds per picture', async () => {
    const context = contextOf(cases[0], 'rise');
    const picture = context.input.data.byteLength;
    const ranks = 4 * context.map.data.length;
    runs.length = 0;
    for (const [, metric] of curves)
      await metric.score({ ...context, batchSize: 5, options: { step: 2240 } });
    expect(runs).toHaveLength(10); // 24 pictures each
    // The bytes are those of picture, baseline, ranks, bounds and class.
    for (const bytes of runs) expect(bytes).toBeLessThanOrEqual(2 * picture + ranks + 5 * 8 + 8);
  });
});
