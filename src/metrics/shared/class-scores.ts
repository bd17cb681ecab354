import { at } from '../../tensor/at.ts';
import { argmax, slab, type Tensor } from '../../tensor/tensor.ts';

/**
 * The score of one class in each row of [n, classes], or whether that class is first there (1, else
 * 0).
 */
export function classScores(scores: Tensor, target: number, accuracy: boolean): number[] {
  return Array.from({ length: at(scores.shape, 0) }, (_, i) => {
    const row = slab(scores, i).data;
    return accuracy ? Number(argmax(row) === target) : at(row, target);
  });
}
