import { at } from '../../tensor/at.ts';
import { mean } from '../../tensor/statistics.ts';
import { argsortDescending, type Tensor } from '../../tensor/tensor.ts';
import { patchMeans } from './patch-means.ts';
import type { PatchLayout, PatchScorer } from './patch-scorer.ts';
import { hasPatch, type PatchSet, patchSetOf } from './patch-set.ts';

/**
 * The neighborhoods of every second patch in every second row: the patch and the patches around it.
 * Together they contain every patch.
 */
function neighbourhoods([rows, columns]: PatchLayout['grid']): PatchSet[] {
  const near = (i: number, size: number) =>
    [i - 1, i, i + 1].filter((place) => place >= 0 && place < size);
  const everyOther = (size: number) => Array.from({ length: Math.ceil(size / 2) }, (_, i) => 2 * i);
  return everyOther(rows).flatMap((row) =>
    everyOther(columns).map((column) =>
      patchSetOf(near(row, rows).flatMap((y) => near(column, columns).map((x) => y * columns + x))),
    ),
  );
}

/**
 * The patches by falling value. The value of a patch is the mean probability of the neighborhoods
 * that contain it, each shown alone. Patches of equal value are in rising order.
 */
export async function rankShown(scorer: PatchScorer): Promise<number[]> {
  const shown = neighbourhoods(scorer.layout.grid);
  const scores = await scorer.score(shown);
  const values = Float64Array.from({ length: scorer.count }, (_, patch) => {
    const own = scores.filter((__, i) => hasPatch(at(shown, i), patch));
    return mean(own);
  });
  return [...argsortDescending(values)];
}

/**
 * The patches by falling mean of a map over the patch. Patches of equal mean are in rising order.
 */
export const rankByMap = (map: Tensor, layout: PatchLayout): number[] => [
  ...argsortDescending(patchMeans(map, layout)),
];
