import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import {
  haveReference,
  recorded,
  recordedCases,
  referenceModel,
  sharedNpy,
} from '../fixtures/reference.ts';
import type { Sag } from './schema.ts';

const SIDE = 224;

/**
 * The probability of a class for the picture with only some patches shown. It uses no code of Fovea
 * for masks, blending and softmax, and one call per picture.
 */
async function plainProbability(
  session: InferenceSession,
  input: Float32Array,
  target: number,
  patches: readonly number[],
): Promise<number> {
  const shown = new Float32Array(3 * SIDE * SIDE);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      // The position in units of patches, with aligned corners.
      const [v, u] = [(y * 6) / (SIDE - 1), (x * 6) / (SIDE - 1)];
      let mask = 0;
      for (const patch of patches)
        mask +=
          Math.max(0, 1 - Math.abs(v - Math.floor(patch / 7))) *
          Math.max(0, 1 - Math.abs(u - (patch % 7)));
      for (let c = 0; c < 3; c++) {
        const i = (c * SIDE + y) * SIDE + x;
        shown[i] = mask * input[i] + (1 - mask) * -1; // black
      }
    }
  }
  const [logits] = Object.values(
    await session.run({
      [session.inputNames[0]]: new OrtTensor('float32', shown, [1, 3, SIDE, SIDE]),
    }),
  );
  const values = [...(logits.data as Float32Array)];
  const largest = Math.max(...values);
  const total = values.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  return Math.exp(values[target] - largest) / total;
}

/** The model's input. It was recorded either directly or as the pixels of the picture. */
// biome-ignore lint/suspicious/noExplicitAny: as recorded
function inputOf({ input, arrays }: any): Tensor {
  if (input) return sharedNpy(`reference/${input.replace('../', '')}`);
  const { data } = recorded('sag', arrays.input);
  const area = SIDE * SIDE;
  return tensor(
    [1, 3, SIDE, SIDE],
    Float32Array.from(
      { length: 3 * area },
      (_, i) => (data[3 * (i % area) + Math.floor(i / area)] / 255 - 0.5) / 0.5,
    ),
  );
}

describe.skipIf(!haveReference('sag'))(
  'roots of graphs, scored again with only the runtime (needs ../shared)',
  () => {
    // biome-ignore lint/suspicious/noExplicitAny: as recorded
    const cases = (recordedCases('sag') as any[]).map((each) => [each.case, each] as const);
    it.each(cases.filter(([name]) => /_225|_1505/.test(name)))(
      '%s: each root is sufficient, and not sufficient without any one of its patches',
      async (_, each) => {
        const input = inputOf(each);
        const { manifest } = await explain(await referenceModel('mobilenet_v2'), input, {
          method: 'sag',
          target: each.category,
        });
        const { nodes, roots } = manifest.extras.sag as Sag;
        // The first root is as small as the smallest one of the released code, and not the only one.
        const sizes = [...each.roots, ...each.tie_free.roots].map(({ patches }) => patches.length);
        expect(nodes[roots[0]].patches.length).toBeLessThanOrEqual(Math.min(...sizes));
        expect(roots.length).toBeGreaterThan(1);
        const bytes = readFileSync(
          new URL('../../../../shared/models/mobilenet_v2.onnx', import.meta.url),
        );
        const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1 });
        const score = (patches: readonly number[]) =>
          plainProbability(session, input.data, each.category, patches);
        const whole = await score(Array.from({ length: 49 }, (__, patch) => patch));
        expect(whole).toBeCloseTo(each.prob, 3);
        expect(roots.length).toBeGreaterThan(0);
        for (const { patches } of roots.map((id) => nodes[id])) {
          expect(await score(patches)).toBeGreaterThanOrEqual(0.9 * whole - 1e-4);
          for (const patch of patches)
            expect(await score(patches.filter((other) => other !== patch))).toBeLessThan(
              0.9 * whole + 1e-4,
            );
        }
      },
      120_000,
    );
  },
);
