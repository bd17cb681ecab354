import * as z from 'zod/mini';
import { FoveaError } from '../../errors.ts';
import { option } from '../../options.ts';
import { IN_ENGLISH } from '../../schema-errors.ts';

const patches = z
  .array(z.int().check(z.minimum(0)))
  .check(z.describe('numbers of the patches shown: row · columns + column, from 0, rising'));
const probability = z
  .number()
  .check(z.describe('probability of the class when only these patches are shown'));
const confidence = z
  .number()
  .check(z.describe('that probability over the probability of the whole picture'));

/**
 * A structured attention graph as JSON. Fields are only ever added; a change of their meaning
 * raises `version`.
 */
export const sagSchema = z.object({
  version: z.literal(1),
  grid: z.tuple([z.int(), z.int()]).check(z.describe('rows and columns of patches')),
  patches: z
    .enum(['soft', 'hard'])
    .check(
      z.describe('shape of a patch: overlapping bilinear bumps with aligned corners, or tiles'),
    ),
  baseline: z.string().check(z.describe('what stands where a patch is missing')),
  target: z.object({
    index: z.int(),
    label: z.string(),
  }),
  probability: z.number().check(z.describe('probability of the class for the whole picture')),
  threshold: z.number().check(z.describe('confidence from which a set of patches is sufficient')),
  ranking: z
    .array(z.int())
    .check(z.describe('all patches, the most promising first, as the search took them')),
  explanations: z
    .array(
      z.object({
        patches,
        probability,
        confidence,
      }),
    )
    .check(
      z.describe(
        'all minimal sufficient explanations found: small ones first, likelier ones among those',
      ),
    ),
  diverse: z
    .object({
      maxOverlap: z.int(),
      size: z.int(),
      exact: z.boolean(),
    })
    .check(
      z.describe(
        'how many explanations can be chosen with at most maxOverlap patches in common, and whether that is proved',
      ),
    ),
  roots: z
    .array(z.int())
    .check(z.describe('ids of the nodes that are roots: the diverse explanations shown')),
  nodes: z.array(
    z.object({
      id: z.int(),
      patches,
      probability,
      confidence,
      root: z.boolean(),
    }),
  ),
  edges: z
    .array(
      z.object({
        from: z.int(),
        to: z.int(),
        removed: z.int(),
      }),
    )
    .check(z.describe('parent, child, and the patch that the child lacks')),
  truncated: z
    .boolean()
    .check(
      z.describe(
        'whether the graph was cut off at its largest number of nodes, or for want of model calls',
      ),
    ),
  exhausted: option(
    z.boolean(),
    false,
    'whether the search or the graph ended because maxCalls were spent',
  ),
  formula: z.string().check(z.describe('the roots as a disjunction of conjunctions')),
});

/** A structured attention graph. */
export type Sag = z.output<typeof sagSchema>;
export type SagNode = Sag['nodes'][number];
export type SagEdge = Sag['edges'][number];

/**
 * A graph read back from JSON (`manifest.extras.sag`).
 * @throws FoveaError `usage` naming the field that is wrong.
 */
export function parseSag(json: unknown): Sag {
  const result = sagSchema.safeParse(json, IN_ENGLISH);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new FoveaError(
    'usage',
    `no structured attention graph: ${issue.path.join('.') || 'the whole'}: ${issue.message}`,
  );
}

/** `P11&P30 | P10&P30`: the sets of patches any one of which suffices. */
export function formulaOf(sets: readonly (readonly number[])[]): string {
  return sets.map((each) => each.map((patch) => `P${patch}`).join('&')).join(' | ');
}
