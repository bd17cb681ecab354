import { plain } from '../../autodiff/index.ts';
import { FoveaError } from '../../errors.ts';
import { ownEntry } from '../../own-entry.ts';
import { at } from '../../tensor/at.ts';
import { tensor } from '../../tensor/tensor.ts';
import { SCORES } from '../classifier/score-tail.ts';
import { type GradientRequest, INPUT, type ModelInside, type TargetScore } from '../model.ts';
import { checkGradients, checkScores } from '../scores.ts';
import type { Part } from './part-graph.ts';
import {
  checkTarget,
  type PartContext,
  resolveName,
  resolveNames,
  runPart,
  weightedClasses,
} from './run-part.ts';

/** The class of each row. */
function targetsOf(
  context: PartContext,
  { batch, targets }: GradientRequest,
): readonly TargetScore[] {
  const [rows = 0] = batch.shape;
  if (targets.length !== 1 && targets.length !== rows) {
    throw new FoveaError(
      'usage',
      `${targets.length} targets for ${rows} rows: expected one class for all, or one per row`,
    );
  }
  for (const target of targets) checkTarget(context, target);
  return targets.length === rows ? targets : Array.from({ length: rows }, () => targets).flat();
}

/**
 * `ModelInside.gradients`: runs the network, or the part after `at`, forward and backward. It
 * differentiates the sum of the scores of all rows; each row has its own class.
 */
export function gradientsOf(context: PartContext): ModelInside['gradients'] {
  const { classifier, name } = context;
  return async (request) => {
    const { batch, score = 'logit', rules = plain, replace: given = {}, reference } = request;
    const targets = targetsOf(context, request);
    const wrt = request.wrt.map((each) => resolveName(classifier, each));
    const replace = resolveNames(classifier, given);
    const part: Part = {
      at: request.at === undefined ? null : resolveName(classifier, request.at),
      replaced: Object.keys(replace),
      score,
      read: wrt.filter((each) => each !== INPUT && !Object.hasOwn(replace, each)),
      wrt,
      rules,
    };
    const feeds = { batch, targets, replace, reference, options: request };
    const { info, output } = await runPart(context, part, feeds);
    const { shape, data } = output(SCORES);
    checkScores(name, data);
    const gradients = wrt.map((each) => output(info.gradients.get(each)));
    for (const gradient of gradients) checkGradients(name, gradient.data);
    const classes = shape[1] ?? 0;
    return {
      scores: tensor(
        [targets.length],
        Float32Array.from(targets, (target, row) =>
          weightedClasses(target).reduce(
            (sum, { index, weight }) => sum + weight * at(data, row * classes + index),
            0,
          ),
        ),
      ),
      gradients,
      values: wrt.map((each) =>
        each === INPUT ? batch : (ownEntry(replace, each) ?? output(info.values.get(each))),
      ),
    };
  };
}
