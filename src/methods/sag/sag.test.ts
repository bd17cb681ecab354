import { describe, expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import {
  counted,
  GRID,
  patchModel,
  patchy,
  SETS,
  SIDE,
  scorerOf,
  white,
} from '../fixtures/patchy.ts';
import {
  haveReference,
  recordedCases,
  recordedInput,
  referenceModel,
} from '../fixtures/reference.ts';
import { methods } from '../index.ts';
import { buildGraph } from './graph.ts';
import { createPatchScorer, type PatchLayout, wholeProbability } from './patch-scorer.ts';
import { patchSetOf } from './patch-set.ts';
import { sagScorer } from './sag.ts';
import { parseSag, type Sag } from './schema.ts';

describe('sag', () => {
  const run = (options: Record<string, unknown>, extra = {}) =>
    explain(patchy, white, {
      method: 'sag',
      target: 0,
      options: { grid: GRID, patches: 'hard', maxOverlap: 0, ...options },
      ...extra,
    });

  it('returns diverse roots, their graph and their union, also as JSON', async () => {
    counted.calls = 0;
    const { map, manifest } = await run({ beamWidth: 10, maxRoots: 3 });
    const sag = parseSag(JSON.parse(JSON.stringify(manifest.extras.sag)));
    expect(sag.roots.map((id) => sag.nodes[id].patches.join()).sort()).toEqual([
      '0,5',
      '10,11,14',
      '3,12',
    ]);
    expect(sag.formula.split(' | ').sort()).toEqual(['P0&P5', 'P10&P11&P14', 'P3&P12']);
    expect(sag.diverse).toEqual({ maxOverlap: 0, size: 3, exact: true });
    expect(manifest.modelCalls.forward).toBe(manifest.extras.evaluations);
    // One more call scores the picture itself, to find the target.
    expect(counted.calls).toBe((manifest.extras.evaluations as number) + 1);
    // A pixel has the confidence that its set loses without its patch: p = 0.8 · share².
    for (let i = 0; i < map.data.length; i++) {
      const patch = Math.floor(i / SIDE / GRID) * GRID + Math.floor((i % SIDE) / GRID);
      const size = SETS.find((set) => set.includes(patch))?.length;
      expect(map.data[i]).toBeCloseTo(size === undefined ? 0 : 1 - ((size - 1) / size) ** 2, 5);
    }
    const scorer = sagScorer(patchy, white, sag);
    counted.calls = 0;
    expect(await scorer.probability([0, 5])).toBeCloseTo(0.8, 6);
    expect(counted.calls).toBe(0);
    expect(await scorer.probability([0, 1])).toBeCloseTo(0.2, 6);
    expect(counted.calls).toBe(1);
    expect(() => parseSag({ ...sag, version: 2 })).toThrow(
      /not a structured attention graph: version/,
    );
  });

  it('finds more diverse roots without the patches of the chosen ones', async () => {
    const roots = async (restarts: number) =>
      ((await run({ beamWidth: 1, maxRoots: 1, restarts })).manifest.extras.sag as Sag).roots
        .length;
    expect(await roots(0)).toBe(2);
    expect(await roots(2)).toBe(3);
  });

  /** Explains a model of all patches with few options. */
  const runOn = async (model: typeof patchy, options = {}) => {
    const { manifest } = await explain(model, white, {
      method: 'sag',
      target: 0,
      options: { grid: GRID, patches: 'hard', maxOverlap: 0, ...options },
    });
    const graph = manifest.extras.sag as Sag;
    const roots = graph.roots.map((id) => graph.nodes[id].patches.join());
    return { graph, roots, calls: manifest.modelCalls.forward };
  };

  it('finds a set of which no part gives any score, from above', async () => {
    const set = [1, 2, 6, 7, 9, 12];
    const all = patchModel('all', (shown) => (set.every((patch) => shown(patch) > 0.5) ? 0.8 : 0));
    const { roots, graph, calls } = await runOn(all, { restarts: 0, maxSize: 2 });
    expect(roots).toEqual([set.join()]);
    expect(graph.explanations).toMatchObject([{ patches: set, minimal: true }]);
    expect(calls).toBeLessThan(200);
  });

  it('shows a smallest set first, even if larger ones are more diverse', async () => {
    // The pair overlaps each of the others, which do not overlap.
    const sets = [
      [5, 6],
      [5, 1, 2],
      [6, 10, 11],
      [13, 14, 15],
    ];
    const model = patchModel('overlapping', (shown) =>
      Math.max(
        ...sets.map((set) =>
          set.every((patch) => shown(patch) > 0.5) ? 0.8 + set.length / 50 : 0.01 * shown(set[0]),
        ),
      ),
    );
    const { roots, graph } = await runOn(model, { beamWidth: 20, successors: 16, maxRoots: 9 });
    expect(roots).toEqual(['5,6', '13,14,15']);
    expect(graph.diverse).toMatchObject({ maxOverlap: 0, size: 2 });
  });

  it('allows as many common patches as a second root needs', async () => {
    const model = patchModel('shared', (shown) =>
      shown(0) + shown(5) + shown(10) > 2.5 && shown(3) + shown(12) > 0.5 ? 0.8 : 0,
    );
    const { roots, graph } = await runOn(model);
    expect(roots.sort()).toEqual(['0,3,5,10', '0,5,10,12']);
    expect(graph.diverse).toEqual({ maxOverlap: 3, size: 2, exact: true });
    expect((await runOn(model, { roots: 1 })).graph.diverse.maxOverlap).toBe(0);
  });

  it('uses the ranking of any method except its own', async () => {
    const { manifest } = await run({ ranking: 'occlusion', maxRoots: 1, restarts: 0 });
    expect((manifest.extras.sag as Sag).roots.length).toBeGreaterThan(0);
    await expect(run({ ranking: 'sag' })).rejects.toThrow('sag cannot build on its own map');
    await expect(run({ ranking: 'nothing' })).rejects.toThrow(/unknown method "nothing"/);
  });

  it('refuses a class that needs no patch', async () => {
    const options = { grid: GRID, patches: 'hard' };
    await expect(
      explain(patchy, white, { method: methods.get('sag'), target: 1, options }),
    ).rejects.toMatchObject({
      code: 'unexplained', // not that the method cannot: other pictures go on
      message: expect.stringMatching(/^"no" keeps 100.00% of its 20.00% if all patches are hidden/),
    });
  });

  it.each([1, 8, 16])('is never empty: a sufficient set with maxCalls = %d', async (maxCalls) => {
    const { manifest, map } = await run({ maxCalls });
    const { explanations, roots, exhausted } = manifest.extras.sag as Sag;
    expect(exhausted).toBe(true);
    expect(roots).toEqual([0]);
    expect(explanations).toHaveLength(1);
    const [{ patches, probability, minimal }] = explanations;
    expect(minimal).toBe(false);
    expect(probability).toBeGreaterThanOrEqual(0.72);
    expect(await scorerOf().probability(patches)).toBeCloseTo(probability, 6);
    expect(map.data.some((value) => value > 0)).toBe(true);
    expect(manifest.warnings).toContain(
      `the search for "yes" ended at maxCalls = ${maxCalls}, so its explanation may have spare ` +
        'patches',
    );
  });

  it.each([40, 60, 75])(
    'evaluates at most maxCalls = %d sets, and still returns only minimal sets',
    async (maxCalls) => {
      const { manifest } = await run({
        maxCalls,
        beamWidth: 2,
        maxRoots: 100,
        restarts: 4,
        roots: 5,
      });
      const { explanations, exhausted } = manifest.extras.sag as Sag;
      expect(manifest.modelCalls.forward).toBeLessThanOrEqual(maxCalls);
      expect(exhausted).toBe(true);
      expect(manifest.warnings).toEqual([
        `the search for "yes" ended at maxCalls = ${maxCalls}, so there may be more explanations`,
      ]);
      expect(explanations.length).toBeGreaterThan(0);
      for (const { patches, probability } of explanations) {
        expect(probability).toBeGreaterThanOrEqual(0.72);
        for (const patch of patches)
          expect(
            await scorerOf().probability(patches.filter((other) => other !== patch)),
          ).toBeLessThan(0.72);
      }
      for (const { patches } of explanations) expect(SETS.map(String)).toContain(String(patches));
    },
  );

  it('has no warning if the calls were enough', async () => {
    const { manifest } = await run({});
    expect((manifest.extras.sag as Sag).exhausted).toBe(false);
    expect(manifest.warnings).toEqual(patchy.warnings);
  });

  it('does not depend on the batch size', async () => {
    const one = (await run({}, { batchSize: 1 })).manifest.extras;
    expect((await run({}, { batchSize: 7 })).manifest.extras).toEqual(one);
  });
});

// The probabilities of the authors' code on mobilenet_v2 with soft patches on black, and its tree
// from its own roots.
describe.skipIf(!haveReference('sag'))(
  'sag and the recorded runs of the released code (needs ../shared)',
  () => {
    // biome-ignore lint/suspicious/noExplicitAny: as recorded
    const cases = (recordedCases('sag') as any[]).filter((each) => each.input);
    const released: PatchLayout = { grid: [7, 7], patches: 'soft', baseline: 'black' };
    const inputOf = (each: { input: string }) =>
      recordedInput({
        model: 'mobilenet_v2',
        case: each.input.replace(/^.*mobilenet_v2_|_input.npy$/g, ''),
      } as never);

    it.each(cases.map((each) => [each.case, each]))(
      '%s: has the same probabilities of the roots, and the same tree',
      async (_, each) => {
        const model = await referenceModel('mobilenet_v2');
        const scorer = createPatchScorer(model, inputOf(each), {
          ...released,
          target: each.category,
        });
        const whole = await wholeProbability(scorer);
        expect(whole).toBeCloseTo(each.prob, 3);
        const roots = [...each.roots, ...each.tie_free.roots];
        const scores = await scorer.score(roots.map(({ patches }) => patchSetOf(patches)));
        roots.forEach(({ prob }, i) => expect(Math.abs(scores[i] - prob)).toBeLessThan(2e-3));
        const selected = each.tie_free.selected.map(
          ({ patches, prob }: { patches: number[]; prob: number }) => ({
            set: patchSetOf(patches),
            probability: prob,
          }),
        );
        const { nodes, edges } = await buildGraph(scorer, selected, whole, {
          expandAbove: 0.4,
          maxChildren: 3,
          structure: 'tree',
          maxNodes: 1000,
        });
        const ours = nodes.map(({ id, patches }) =>
          [
            patches.join(),
            edges.filter(({ to }) => to === id).map(({ removed }) => removed)[0] ?? null,
          ].join(' -'),
        );
        const theirs = each.tie_free.tree.map(
          ({ patches, removed }: { patches: number[]; removed: number | null }) =>
            [patches.join(), removed].join(' -'),
        );
        expect(ours.sort()).toEqual(theirs.sort());
      },
      120_000,
    );
  },
);
