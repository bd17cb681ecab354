import type { Dataset, Sample } from '../datasets/dataset.ts';
import { FoveaError, messageOf } from '../errors.ts';
import type { Model } from '../model/model.ts';
import { resolveTargets, type Target } from '../model/target.ts';
import type { PreparedInput } from '../prepare-input.ts';
import type { Evaluation, TargetPolicy } from './records.ts';

const POLICIES: readonly TargetPolicy[] = ['ground-truth', 'recognised', 'predicted'];

/** The reason why the labels of a data set cannot be classes of a model; undefined if they can. */
function labelProblem({ name, provides, classes }: Dataset, model: Model): string | undefined {
  if (!provides.includes('label')) return `${name} has no labels`;
  if (classes !== 'imagenet' || model.labels.length === 1000) return undefined;
  const count = model.labels.length.toLocaleString('en-US');
  return `the labels of ${name} are ImageNet's 1,000 classes, but ${model.name} has ${count}`;
}

/**
 * The target policy of an evaluation: the wanted one, or else `ground-truth` if the labels of the
 * data set can be classes of the model, or else `predicted`. `note` has the reason for `predicted`.
 * @throws FoveaError `usage` for a policy that needs labels, if the data set has none.
 */
export function choosePolicy(
  wanted: TargetPolicy | undefined,
  dataset: Dataset,
  model: Model,
): { readonly target: TargetPolicy; readonly note?: string } {
  if (wanted !== undefined && !POLICIES.includes(wanted)) {
    const expected = POLICIES.join(', ');
    throw new FoveaError('usage', `target "${String(wanted)}": expected one of ${expected}`);
  }
  if (wanted === 'predicted') return { target: wanted };
  const problem = labelProblem(dataset, model);
  if (problem === undefined) return { target: wanted ?? 'ground-truth' };
  if (wanted !== undefined) throw new FoveaError('usage', `${problem}: use the target "predicted"`);
  return {
    target: 'predicted',
    note: `${problem}: the class that the model predicts is explained`,
  };
}

/** The one class that a specification names. */
function oneTarget(...request: Parameters<typeof resolveTargets>): Target {
  const [target] = resolveTargets(...request);
  if (!target) throw new FoveaError('internal', 'a target names no class');
  return target;
}

/** The class of a sample's label, or the reason as text if there is none. */
function trueTarget(model: Model, { label }: Sample, probabilities: Float32Array): Target | string {
  if (!label) return 'it has no label';
  if (!label.indices) {
    try {
      return oneTarget(model, probabilities, { class: label.name });
    } catch (error) {
      return messageOf(error);
    }
  }
  const known = label.indices.flatMap((index) => {
    const [probability, name] = [probabilities[index], model.labels[index]];
    return probability === undefined || name === undefined
      ? []
      : [{ index, label: name, probability }];
  });
  const [first, ...others] = known;
  if (first)
    return others.reduce(
      (best, each) => (each.probability > best.probability ? each : best),
      first,
    );
  return label.indices.length === 0
    ? `the model has no class for ${label.name}`
    : `${model.name} has ${probabilities.length} classes, so no class ${label.indices[0]}`;
}

/** The class to explain for a sample, or the reason as text if there is none. */
export function chooseTarget(
  { model, target }: Evaluation,
  sample: Sample,
  { probabilities }: PreparedInput,
): Target | string {
  const top = oneTarget(model, probabilities, 'top1');
  if (target === 'predicted') return top;
  const truth = trueTarget(model, sample, probabilities);
  if (target === 'ground-truth' || typeof truth === 'string' || truth.index === top.index)
    return truth;
  return `the model takes the ${sample.label?.name} for ${top.label}`;
}
