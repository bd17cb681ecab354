import { at } from '../tensor/at.ts';
import { argmax } from '../tensor/tensor.ts';
import type { Model } from './model.ts';
import type { ScoredClass } from './target.ts';

/** A class with its label and its probability. */
export function scoredClass(
  { labels }: Model,
  probabilities: Float32Array,
  index: number,
): ScoredClass {
  return { index, label: at(labels, index), probability: at(probabilities, index) };
}

/** The most probable class of a picture, the first one of several. */
export function mostProbable(model: Model, probabilities: Float32Array): ScoredClass {
  return scoredClass(model, probabilities, argmax(probabilities));
}
