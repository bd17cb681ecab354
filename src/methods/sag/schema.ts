import * as v from 'valibot';
import { checkJson } from '../../check-json.ts';
import { FoveaError } from '../../errors.ts';
import { integer, number, option } from '../../options.ts';

const patches = v.pipe(
  v.array(v.pipe(integer, v.minValue(0))),
  v.description('numbers of the patches shown: row · columns + column, from 0, rising'),
);
const probability = v.pipe(
  number,
  v.description('probability of the class when only these patches are shown'),
);
const confidence = v.pipe(
  number,
  v.description('that probability over the probability of the whole picture'),
);

/**
 * A structured attention graph as JSON. Fields are only ever added; a change of their meaning
 * raises `version`.
 */
export const sagSchema = v.object({
  version: v.literal(1),
  grid: v.pipe(v.strictTuple([integer, integer]), v.description('rows and columns of patches')),
  patches: v.pipe(
    v.picklist(['soft', 'hard']),
    v.description('shape of a patch: overlapping bilinear bumps with aligned corners, or tiles'),
  ),
  baseline: v.pipe(v.string(), v.description('what stands where a patch is missing')),
  target: v.object({
    index: integer,
    label: v.string(),
  }),
  probability: v.pipe(number, v.description('probability of the class for the whole picture')),
  threshold: v.pipe(number, v.description('confidence from which a set of patches is sufficient')),
  ranking: v.pipe(
    v.array(integer),
    v.description('all patches, the most promising first, as the search took them'),
  ),
  explanations: v.pipe(
    v.array(
      v.object({
        patches,
        probability,
        confidence,
      }),
    ),
    v.description(
      'all minimal sufficient explanations found: small ones first, likelier ones among those',
    ),
  ),
  diverse: v.pipe(
    v.object({
      maxOverlap: integer,
      size: integer,
      exact: v.boolean(),
    }),
    v.description(
      'how many explanations can be chosen with at most maxOverlap patches in common, and ' +
        'whether that is proved',
    ),
  ),
  roots: v.pipe(
    v.array(integer),
    v.description('ids of the nodes that are roots: the diverse explanations shown'),
  ),
  nodes: v.array(
    v.object({
      id: integer,
      patches,
      probability,
      confidence,
      root: v.boolean(),
    }),
  ),
  edges: v.pipe(
    v.array(
      v.object({
        from: integer,
        to: integer,
        removed: integer,
      }),
    ),
    v.description('parent, child, and the patch that the child lacks'),
  ),
  truncated: v.pipe(
    v.boolean(),
    v.description(
      'whether the graph was cut off at its largest number of nodes, or for want of model calls',
    ),
  ),
  exhausted: option(
    v.boolean(),
    false,
    'whether the search or the graph ended because maxCalls were spent',
  ),
  formula: v.pipe(v.string(), v.description('the roots as a disjunction of conjunctions')),
});

/** A structured attention graph. */
export type Sag = v.InferOutput<typeof sagSchema>;
export type SagNode = Sag['nodes'][number];
export type SagEdge = Sag['edges'][number];

/**
 * A graph read back from JSON (`manifest.extras.sag`).
 * @throws FoveaError `usage` naming the field that is wrong.
 */
export function parseSag(json: unknown): Sag {
  const { value, problems } = checkJson(sagSchema, json, 'the whole');
  if (!problems) return value;
  throw new FoveaError('usage', `not a structured attention graph: ${problems[0]}`);
}

/** `P11&P30 | P10&P30`: the sets of patches any one of which suffices. */
export function formulaOf(sets: readonly (readonly number[])[]): string {
  return sets.map((each) => each.map((patch) => `P${patch}`).join('&')).join(' | ');
}
