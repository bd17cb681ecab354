import { describe, expect, it } from 'vitest';
import { explain, explainAll } from '../../src/explain.ts';
import { convNet, HEIGHT, picture, WIDTH } from '../../src/methods/fixtures/nets.ts';
import { type Method, methods, type PartialMap, parseOptions } from '../../src/methods/index.ts';
import type { Model } from '../../src/model/model.ts';
import { countOf } from '../../src/model/perturbation.ts';
import { FEW } from './few-options.ts';

const network = await convNet('linear');

/** The model, and the number of pictures that it has scored from perturbations. */
function counted(model: Model) {
  const pictures = { perturbed: 0 };
  const perturb: Model['perturb'] = (request) => {
    pictures.perturbed += countOf(request.perturbation);
    return model.perturb(request);
  };
  return { model: { ...model, perturb }, pictures };
}

const run = (method: Method, budget: number, more = {}) =>
  explainAll(network, picture, { method, target: [0, 1], budget, seed: 2, ...more });

/** What a run throws; undefined if it returns maps. */
const problemOf = (result: Promise<unknown>): Promise<unknown> =>
  result.then(() => undefined).catch((error) => error);

/** The number of calls that a refusal says the method needs at least; 0 if it says none. */
const leastOf = (problem: unknown): number =>
  Number(/needs at least (\d+) model calls/.exec(String(problem))?.[1] ?? 0);

/** A search may end without a result within its budget. Any other problem is an error. */
function expectNoOther(problem: unknown): void {
  if (problem !== undefined) expect(problem).toMatchObject({ code: 'unexplained' });
}

const planning = [...methods].filter(({ withBudget }) => withBudget);

describe.each(planning.map((method) => [method.name, method] as const))('%s', (_, method) => {
  it.each([50, 100, 400])('makes at most %i model calls', async (budget) => {
    const problem = await problemOf(
      run(method, budget).then(([one, other]) => {
        expect(one?.manifest.budget).toBe(budget);
        expect(one?.manifest.modelCalls).toEqual(other?.manifest.modelCalls);
        expect(one?.manifest.modelCalls.forward).toBeGreaterThan(0);
        expect(one?.manifest.modelCalls.forward).toBeLessThanOrEqual(budget);
      }),
    );
    if (leastOf(problem) > 0) expect(leastOf(problem)).toBeGreaterThan(budget);
    else expectNoOther(problem);
  });

  it('names the smallest budget, and keeps it', async () => {
    const refused = await problemOf(run(method, 1));
    const least = leastOf(refused);
    expect(refused).toMatchObject({ code: 'usage' });
    expect(least, String(refused)).toBeGreaterThan(1);
    expect(leastOf(await problemOf(run(method, least - 1)))).toBe(least);
    expectNoOther(await problemOf(run(method, least)));
  });

  it('keeps options that fit the budget', () => {
    const size = { height: HEIGHT, width: WIDTH, targets: 2 };
    const options = parseOptions(method);
    const fitted = method.withBudget?.(options, 400, size) ?? {};
    expect(method.withBudget?.(fitted, 400, size)).toEqual(fitted);
    expect(method.withBudget?.(fitted, 500, size)).toEqual(fitted);
  });
});

const others = [...methods].filter(({ withBudget, needs }) => !withBudget && needs.length > 0);

it.each(others.map((method) => [method.name, method] as const))(
  '%s, which chooses no options for a budget, is refused at its first call too many',
  async (_, method) => {
    const [made] = await run(method, 1).catch((error) => [String(error)]);
    if (method.needs.includes('attention')) expect(made).toContain('attention');
    else if (typeof made === 'object') expect(made.manifest.modelCalls.forward).toBe(1);
    else expect(made).toMatch(/budget of 1 model calls is used up \(\d made, \d+ more wanted\)/);
  },
);

it.each([...methods].filter(({ needs }) => needs.includes('black-box')).map((m) => [m.name, m]))(
  '%s offers its intermediate maps with the calls so far',
  async (name, method) => {
    const { model, pictures } = counted(network);
    const partial: PartialMap[] = [];
    const onMap = (map: PartialMap) => {
      // Calls other than perturbations, such as those for feature maps, come on top.
      expect(map.calls - pictures.perturbed).toBeGreaterThanOrEqual(0);
      expect(map.calls - pictures.perturbed).toBeLessThanOrEqual(1);
      partial.push(map);
    };
    const options = FEW[String(name)];
    expectNoOther(await problemOf(explain(model, picture, { method, target: 0, options, onMap })));
    const calls = partial.map((map) => map.calls);
    expect(calls).toEqual([...new Set(calls)].sort((a, b) => a - b));
  },
);

it('refuses a budget that is not a whole number from 1', async () => {
  for (const budget of [0, -3, 1.5, Number.NaN])
    expect(
      String(await problemOf(explain(network, picture, { method: 'rise', budget }))),
    ).toContain(`budget ${budget}: expected a whole number from 1`);
});
