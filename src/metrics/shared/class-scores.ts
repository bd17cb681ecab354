import { at } from '../../tensor/at.ts';
import { argmax, slab, type Tensor } from '../../tensor/tensor.ts';

/**
 * For each row of scores [n, classes]: the score of class `target`, or with `accuracy` 1 if this
 * class has the highest score, else 0.
 */
export function classScores(scores: Tensor, target: number, accuracy: boolean): number[] {
  return Array.from({ length: at(scores.shape, 0) }, (_, i) => {
    const row = slab(scores, i).data;
    return accuracy ? Number(argmax(row) === target) : at(row, target);
  });
}
