import { opsetOf } from '../../onnx/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { PerturbRequest } from '../model.ts';
import { checkRequest, slicePerturbation } from '../perturb-request.ts';
import { countOf } from '../perturbation.ts';
import { renderPerturbation } from '../render-perturbation.ts';
import { pickClasses } from '../scores.ts';
import { type BatchLimit, runInBatches } from './batches.ts';
import { OLDEST_STAGE_OPSET, perturbationFeeds, perturbationStage } from './perturbation-stage.ts';
import { TARGETS } from './score-tail.ts';
import type { Scorer } from './scorer.ts';

/** `Model.perturb` of an ONNX model: pictures are altered in its graph if its opset allows it. */
export async function perturb(
  scorer: Scorer,
  limit: BatchLimit,
  request: PerturbRequest,
): Promise<Tensor> {
  const { input: picture, baseline, perturbation, targets, score = 'probability' } = request;
  const { model, input, output } = scorer.classifier;
  const classes = output.classes ?? 0;
  checkRequest(request, [input.channels, input.height, input.width], classes);
  const isFused =
    opsetOf(model.graph, { domain: '' }) >= OLDEST_STAGE_OPSET && (input.fixedBatch ?? 1) === 1;
  return runInBatches(countOf(perturbation), targets.length, limit, request, async (from, to) => {
    const part = slicePerturbation(perturbation, from, to);
    if (!isFused) {
      const all = await scorer.classify(renderPerturbation(picture, baseline, part), score);
      return pickClasses(all, classes, targets);
    }
    const feeds = perturbationFeeds(picture, baseline, part);
    feeds[TARGETS] = {
      type: 'int64',
      shape: [targets.length],
      data: BigInt64Array.from(targets, BigInt),
    };
    const stage = perturbationStage(part.kind);
    return scorer.scores(stage, { score, pick: true }, feeds, countOf(part));
  });
}
