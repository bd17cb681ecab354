import * as v from 'valibot';
import { FoveaError } from '../errors.ts';
import type { Target } from '../model/target.ts';
import { type AnyOptions, integer, parseOptions } from '../options.ts';
import { at } from '../tensor/at.ts';
import { fullgrad } from './fullgrad.ts';
import { type Attribution, defineMethod, type Method, type MethodContext } from './method.ts';
import { rise } from './rise.ts';
import { requireBudget } from './shared/budget.ts';

/** The number of calls if neither `calls` nor a budget is given. */
const USUAL_CALLS = 600;
/** The method of the first map, which comes from the network in one pass per class. */
const FIRST: Choice = { method: fullgrad, options: {} };
/** With fewer calls than this, the map of the network is better than that of the samples. */
const FEWEST_SAMPLES = 500;
/** If the network has no map, samples are offered from this number of calls on. */
const FEWEST_ALONE = 50;

/** The method that makes a map from `calls` samples. */
const sampling = (calls: number): Choice => ({ method: rise, options: { N: Math.max(2, calls) } });

/** The reason for a first map that the caller has accepted. */
const ACCEPTED = 'the caller has accepted the first map';

/** A method with some of its options. */
interface Choice {
  readonly method: Method;
  readonly options: AnyOptions;
}

type Context = MethodContext<{ readonly calls?: number }>;

/** Runs another method as a part of this one. */
function runPart(
  context: Context,
  { method, options }: Choice,
  targets: readonly Target[],
  offer: Context['offer'],
): Promise<Attribution[]> {
  const random = context.random.fork(method.name);
  return method.explain({
    ...context,
    options: parseOptions(method, options),
    random,
    targets,
    offer,
  });
}

/**
 * The maps of the network itself, from one pass per class; undefined if the network cannot be
 * differentiated.
 */
async function mapsOfNetwork(context: Context): Promise<Attribution[] | undefined> {
  if (!context.model.inside) return undefined;
  try {
    const silent = { ...context, progress() {} };
    return await runPart(silent, FIRST, context.targets, () => false);
  } catch (error) {
    if (error instanceof FoveaError && error.code === 'unsupported') return undefined;
    throw error;
  }
}

/** The attribution with the name of the method that made it, and why this method made it. */
const chosen = (
  { extras, ...attribution }: Attribution,
  method: Method,
  why: string,
): Attribution => ({ ...attribution, extras: { ...extras, method: method.name, why } });

/** The final maps from samples, for the classes whose first map the caller has not accepted. */
async function mapsOfSamples(
  context: Context,
  left: number,
  hasFirst: boolean,
  targets: readonly Target[],
): Promise<Attribution[]> {
  const { method, options } = sampling(left);
  const before = context.calls();
  const fewest = hasFirst ? FEWEST_SAMPLES : FEWEST_ALONE;
  const offer: Context['offer'] = ({ detail, ...partial }) =>
    context.calls() - before >= fewest &&
    context.offer({ ...partial, detail: { ...detail, method: method.name } });
  return runPart(context, { method, options }, targets, offer);
}

/**
 * Chooses methods by the model and by the number of model calls. If the network can be
 * differentiated, the first map comes after one pass per class. Then samples give a better map
 * while calls are left. The map [H, W] is 0 or positive, in the unit of the method that made it.
 * `extras.method` is the name of this method, and `extras.why` the reason.
 */
export const auto = defineMethod({
  name: 'auto',
  title: 'Automatic choice',
  family: 'perturbation',
  paper:
    'none of its own: fullgrad (Srinivas & Fleuret, NeurIPS 2019), then rise (Petsiuk, Das & ' +
    'Saenko, BMVC 2018)',
  needs: ['black-box'],
  uses: ['gradients', 'features'],
  signed: false,
  cost: 'calls: 600',
  options: v.object({
    calls: v.pipe(
      v.optional(v.pipe(integer, v.minValue(2))),
      v.description('largest number of model calls; if not given: the budget, or 600'),
    ),
  }),
  withBudget({ calls }, budget, { targets }) {
    requireBudget('auto', budget, Math.max(2, targets));
    return { calls: Math.min(calls ?? budget, budget) };
  },

  async explain(context) {
    const { targets, options, offer } = context;
    const { calls = USUAL_CALLS } = options;
    const first = await mapsOfNetwork(context);
    const detail = { method: FIRST.method.name };
    const accepted = targets.map(
      (target, t) => first !== undefined && offer({ target, map: at(first, t).map, detail }),
    );
    const left = calls - context.calls();
    const open = targets.filter((_, t) => !at(accepted, t));
    if (first && (left < FEWEST_SAMPLES || open.length === 0)) {
      const why = open.length === 0 ? ACCEPTED : `${left} model calls are too few for samples`;
      return first.map((map) => chosen(map, FIRST.method, why));
    }
    const { method } = sampling(left);
    const made = await mapsOfSamples(context, left, first !== undefined, open);
    const why = first
      ? `${left} model calls were left after ${FIRST.method.name}`
      : `the network has no map of its own, and ${left} model calls were allowed`;
    return targets.map((target, t) =>
      at(accepted, t) && first
        ? chosen(at(first, t), FIRST.method, ACCEPTED)
        : chosen(at(made, open.indexOf(target)), method, why),
    );
  },
});
