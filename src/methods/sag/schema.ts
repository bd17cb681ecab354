import * as v from 'valibot';
import { checkJson } from '../../check-json.ts';
import { FoveaError } from '../../errors.ts';
import { integer, number, option } from '../../options.ts';

const patches = v.pipe(
  v.array(v.pipe(integer, v.minValue(0))),
  v.description(
    'numbers of the shown patches, row · columns + column, counted from 0, in rising order',
  ),
);
const probability = v.pipe(
  number,
  v.description('probability of the class if only these patches are shown'),
);
const confidence = v.pipe(
  number,
  v.description('this probability divided by the probability of the whole picture'),
);

/**
 * The schema of a structured attention graph as JSON. New versions of Fovea may add fields. If the
 * meaning of a field changes, `version` increases.
 */
export const sagSchema = v.object({
  version: v.literal(1),
  grid: v.pipe(v.strictTuple([integer, integer]), v.description('rows and columns of patches')),
  patches: v.pipe(
    v.picklist(['soft', 'hard']),
    v.description(
      'shape of a patch: soft patches overlap, bilinear with aligned corners; hard patches are ' +
        'tiles',
    ),
  ),
  baseline: v.pipe(v.string(), v.description('what replaces hidden patches')),
  target: v.object({
    index: integer,
    label: v.string(),
  }),
  probability: v.pipe(number, v.description('probability of the class for the whole picture')),
  threshold: v.pipe(number, v.description('least confidence of a sufficient set of patches')),
  ranking: v.pipe(
    v.array(integer),
    v.description('all patches in the order of the search, the most promising first'),
  ),
  explanations: v.pipe(
    v.array(
      v.object({
        patches,
        probability,
        confidence,
        minimal: option(
          v.boolean(),
          true,
          'whether each of the patches is needed; false only if maxCalls was too small to find out',
        ),
      }),
    ),
    v.description(
      'all minimal sufficient explanations that were found: small ones first, and more ' +
        'probable ones first among equal sizes',
    ),
  ),
  diverse: v.pipe(
    v.object({
      maxOverlap: integer,
      size: integer,
      exact: v.boolean(),
    }),
    v.description(
      'the largest number of explanations, one of the smallest among them, such that any two ' +
        'share at most maxOverlap patches, and whether this number is proved',
    ),
  ),
  roots: v.pipe(
    v.array(integer),
    v.description(
      'ids of the root nodes, the diverse explanations that are shown: a smallest one first',
    ),
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
    v.description('parent, child, and the patch that is missing in the child'),
  ),
  truncated: v.pipe(
    v.boolean(),
    v.description(
      'whether nodes are missing because the graph reached its largest number of nodes or of ' +
        'model calls',
    ),
  ),
  exhausted: option(
    v.boolean(),
    false,
    'whether the search or the graph ended because it reached maxCalls',
  ),
  formula: v.pipe(
    v.string(),
    v.description(
      'the roots as a logical formula: patches of a root joined by &, roots joined by |',
    ),
  ),
});

/** A structured attention graph. */
export type Sag = v.InferOutput<typeof sagSchema>;
export type SagNode = Sag['nodes'][number];
export type SagEdge = Sag['edges'][number];

/**
 * Reads a graph from JSON (`manifest.extras.sag`).
 * @throws FoveaError `usage` if a field is wrong. The message names the field.
 */
export function parseSag(json: unknown): Sag {
  const { value, problems } = checkJson(sagSchema, json, 'the whole');
  if (!problems) return value;
  throw new FoveaError('usage', `not a structured attention graph: ${problems[0]}`);
}

/**
 * Sets of patches as a logical formula, such as `P11&P30 | P10&P30`. Any one of the sets is
 * sufficient.
 */
export function formulaOf(sets: readonly (readonly number[])[]): string {
  return sets.map((each) => each.map((patch) => `P${patch}`).join('&')).join(' | ');
}
