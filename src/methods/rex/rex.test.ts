import { describe, expect, it } from 'vitest';
import { type IsShown, knownModel, ones, SIDE } from '../../checks/fixtures/known-model.ts';
import type { CheckedSet } from '../../checks/statements.ts';
import { explain } from '../../explain.ts';
import { argsortDescending } from '../../tensor/tensor.ts';

type Rex = {
  readonly criterion: { readonly rank?: number; readonly level?: number };
  readonly sufficient: CheckedSet | null;
  readonly necessary: CheckedSet | null;
  readonly contrastive: CheckedSet | null;
  readonly explanations: readonly CheckedSet[];
};

/** Explains class 0 with boxes and cells of single pixels. */
async function run(score: (shown: IsShown) => number, options = {}, extra = {}) {
  const result = await explain(knownModel(score), ones, {
    method: 'rex',
    target: 0,
    options: { minSide: 1, grid: SIDE, ...options },
    ...extra,
  });
  const { map, region, manifest } = result;
  const found = manifest.extras.rex as Rex;
  const order = [...argsortDescending(map.data)];
  return { map, region, order, found, calls: manifest.modelCalls.forward };
}

const cellsOf = (sets: readonly CheckedSet[]) => sets.map(({ cells }) => [...cells].sort().join());

describe('rex', () => {
  it('AND of two pixels: one sufficient set, each pixel is necessary', async () => {
    const { map, region, order, found } = await run((shown) => (shown(9) && shown(30) ? 0.9 : 0.2));
    expect(new Set(order.slice(0, 2))).toEqual(new Set([9, 30]));
    expect(cellsOf(found.explanations)).toEqual(['30,9']);
    expect(found.sufficient).toMatchObject({ isMinimal: true, share: 2 / 64 });
    expect(found.sufficient?.shown).toBeCloseTo(0.9, 6);
    expect(found.sufficient?.hidden).toBeCloseTo(0.2, 6);
    expect(found.necessary?.cells).toHaveLength(1);
    expect([9, 30]).toContain(found.necessary?.cells[0]);
    expect(cellsOf(found.contrastive ? [found.contrastive] : [])).toEqual(['30,9']);
    const selected = [...(region?.data ?? [])].flatMap((value, pixel) => (value ? [pixel] : []));
    expect(selected).toEqual([9, 30]);
    // The responsibility of a needed pixel is 1 in each split that it takes part in.
    expect(Math.min(map.data[9], map.data[30])).toBeGreaterThan(2);
    expect(map.data[63]).toBeLessThan(map.data[9] / 2);
  });

  it('OR of two pixels: two sufficient sets, together contrastive', async () => {
    const { order, found } = await run((shown) => (shown(9) || shown(30) ? 0.9 : 0.2));
    expect(new Set(order.slice(0, 2))).toEqual(new Set([9, 30]));
    expect(cellsOf(found.explanations).sort()).toEqual(['30', '9']);
    expect(cellsOf([found.necessary, found.contrastive].flatMap((set) => set ?? []))).toEqual([
      '30,9',
      '30,9',
    ]);
    expect(found.contrastive?.hidden).toBeCloseTo(0.2, 6);
  });

  it('a sum: as many terms as are needed, and no other pixel', async () => {
    const terms = [3, 20, 41, 62];
    const { order, found } = await run((shown) => 0.2 * terms.filter(shown).length);
    expect(new Set(order.slice(0, 4))).toEqual(new Set(terms));
    expect(found.sufficient?.cells).toHaveLength(3);
    expect(found.explanations).toHaveLength(1);
    expect(found.necessary?.cells).toHaveLength(2);
    for (const cell of found.sufficient?.cells ?? []) expect(terms).toContain(cell);
  });

  it('two objects of one class: a set in each of them', async () => {
    const [first, second] = [
      [9, 10, 17, 18],
      [45, 46, 53, 54],
    ];
    const isSeen = (object: number[], shown: IsShown) => object.filter(shown).length >= 3;
    const { order, found } = await run((shown) =>
      isSeen(first, shown) || isSeen(second, shown) ? 0.9 : 0.2,
    );
    expect(new Set(order.slice(0, 8))).toEqual(new Set([...first, ...second]));
    expect(found.explanations).toHaveLength(2);
    const objects = found.explanations.map(({ cells }) =>
      [first, second].findIndex((object) => cells.every((cell) => object.includes(cell))),
    );
    expect(objects.sort()).toEqual([0, 1]);
    for (const { cells } of found.explanations) expect(cells).toHaveLength(3);
  });

  it('refuses a model that ignores the picture', async () => {
    await expect(run(() => 0.9)).rejects.toMatchObject({
      code: 'unexplained',
      message: expect.stringMatching(/^"it" is as probable if the whole picture is hidden, so no/),
    });
  });

  it('a class must keep its rank; if it always does, half of what the picture adds', async () => {
    expect((await run((shown) => (shown(9) ? 0.9 : 0.2))).found.criterion).toEqual({ rank: 0 });
    // Of two classes, the less probable one keeps its rank always.
    const { found, order } = await run((shown) => (shown(9) ? 0.4 : 0.1));
    expect(found.criterion).toEqual({ level: expect.closeTo(0.25, 6) });
    expect(order[0]).toBe(9);
    expect(cellsOf(found.explanations)).toEqual(['9']);
    expect(found.necessary?.cells).toEqual([9]);
  });

  it('ends at maxCalls, depends only on the seed, and offers a map after each walk', async () => {
    const and = (shown: IsShown) => (shown(9) && shown(30) ? 0.9 : 0.2);
    const few = await run(and, { maxCalls: 100, setCalls: 20 });
    expect(few.calls).toBeLessThan(100 + 16 + 7 * 40);
    const whole = await run(and, { iterations: 3 });
    expect((await run(and, { iterations: 3 }, { batchSize: 3 })).map.data).toEqual(whole.map.data);
    expect((await run(and, { iterations: 3 }, { seed: 1 })).map.data).not.toEqual(whole.map.data);
    const offered: number[] = [];
    const onMap = ({ detail }: { detail: { walks?: unknown } }) => {
      offered.push(Number(detail.walks));
      return offered.length === 2;
    };
    await run(and, { iterations: 3 }, { onMap });
    expect(offered).toEqual([1, 2]);
  });
});
