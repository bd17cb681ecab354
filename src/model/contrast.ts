import { FoveaError } from '../errors.ts';
import { at } from '../tensor/at.ts';
import { mean } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import type { Model, ModelInside, TargetScore } from './model.ts';
import type { Target } from './target.ts';

/** A contrast: the score of `index` minus the mean score of the classes of `against`. */
export interface Contrast {
  readonly index: number;
  readonly against: readonly number[];
}

/** The weight of each class in the score of a contrast: 1, and -1 / k for each of k others. */
function weightsOf({ index, against }: Contrast): Exclude<TargetScore, number> {
  return [
    { index, weight: 1 },
    ...against.map((other) => ({ index: other, weight: -1 / against.length })),
  ];
}

/** sum_j weight_j · score_j of one row of scores, in which class j is at `positionOf(j)`. */
function weightedScore(
  row: Float32Array,
  weights: Exclude<TargetScore, number>,
  positionOf: (index: number) => number = (index) => index,
): number {
  return weights.reduce((sum, { index, weight }) => sum + weight * at(row, positionOf(index)), 0);
}

function checkContrast({ name, labels }: Model, { index, against }: Contrast): void {
  for (const each of [index, ...against]) {
    if (!(Number.isInteger(each) && each >= 0 && each < labels.length))
      throw new FoveaError('usage', `class ${each} of ${name}: expected 0 to ${labels.length - 1}`);
  }
  if (against.length === 0 || against.includes(index))
    throw new FoveaError('usage', `class ${index} is contrasted with itself or with nothing`);
}

/** `inside` of a contrasting model: its classes from `classes` on become weighted classes. */
function contrastInside(
  inside: ModelInside,
  scoreOf: (target: TargetScore) => TargetScore,
  contrasted: (model: Model) => Model,
): ModelInside {
  return {
    ...inside,
    gradients: (request) => inside.gradients({ ...request, targets: request.targets.map(scoreOf) }),
    pathIntegral: (request) => inside.pathIntegral({ ...request, target: scoreOf(request.target) }),
    randomized: async (layers, random) => contrasted(await inside.randomized(layers, random)),
  };
}

/**
 * A view of a model with one more class per contrast, after its own classes. The score of such a
 * class is the difference of scores
 *
 *   s(index) - 1 / k · sum_{j in against} s(j)
 *
 * of logits or of probabilities, as requested. A difference of probabilities is in -1 … 1. Methods
 * explain such a class like any other class. The view shares the sessions of `model`.
 * @throws FoveaError `usage` for an index that is not a class of the model.
 */
export function contrastModel(model: Model, contrasts: readonly Contrast[]): Model {
  for (const contrast of contrasts) checkContrast(model, contrast);
  const classes = model.labels.length;
  const weights = contrasts.map(weightsOf);
  const scoreOf = (target: TargetScore): TargetScore =>
    typeof target === 'number' ? (weights[target - classes] ?? target) : target;
  return {
    ...model,
    labels: [...model.labels, ...contrasts.map((contrast) => contrastLabel(model, contrast))],
    inside:
      model.inside &&
      contrastInside(model.inside, scoreOf, (other) => contrastModel(other, contrasts)),
    async classify(batch, options) {
      const { data } = await model.classify(batch, options);
      const rows = Array.from({ length: data.length / classes }, (_, i) => {
        const row = data.subarray(i * classes, (i + 1) * classes);
        return [...row, ...weights.map((each) => weightedScore(row, each))];
      });
      return tensor([rows.length, classes + weights.length], Float32Array.from(rows.flat()));
    },
    async perturb(request) {
      const wanted = request.targets.map(scoreOf);
      const targets = [
        ...new Set(
          wanted.flatMap((each) => (typeof each === 'number' ? [each] : each.map((w) => w.index))),
        ),
      ];
      const { shape, data } = await model.perturb({ ...request, targets });
      const [count = 0] = shape;
      const positions = new Map(targets.map((index, position) => [index, position]));
      const positionOf = (index: number): number => positions.get(index) ?? Number.NaN;
      const scores = new Float32Array(count * wanted.length);
      for (let i = 0; i < count; i++) {
        const row = data.subarray(i * targets.length, (i + 1) * targets.length);
        wanted.forEach((each, j) => {
          const one = typeof each === 'number' ? [{ index: each, weight: 1 }] : each;
          scores[i * wanted.length + j] = weightedScore(row, one, positionOf);
        });
      }
      return tensor([count, wanted.length], scores);
    },
  };
}

/**
 * A model and targets for methods. Each target with `against` becomes a class of `contrastModel`;
 * its probability is then a difference of probabilities.
 */
export function contrastTargets(
  model: Model,
  targets: readonly Target[],
): { readonly model: Model; readonly targets: readonly Target[] } {
  const contrasts = targets.flatMap(({ index, against }) =>
    against ? [{ index, against: against.map((other) => other.index) }] : [],
  );
  const contrasted = contrastModel(model, contrasts);
  let next = model.labels.length;
  const seen = targets.map((target): Target => {
    if (!target.against) return target;
    const index = next++;
    const others = mean(target.against.map((other) => other.probability));
    return {
      index,
      label: at(contrasted.labels, index),
      probability: target.probability - others,
    };
  });
  return { model: contrasted, targets: seen };
}

/** `tank, not cab`, or `tank, not cab or jeep`. */
function contrastLabel({ labels }: Model, { index, against }: Contrast): string {
  return `${at(labels, index)}, not ${against.map((other) => at(labels, other)).join(' or ')}`;
}
