import { type Image, image } from '../image/image.ts';
import { resizeImage } from '../image/resize.ts';
import { patchGrids } from '../methods/sag/patch-scorer.ts';
import { patchSetOf } from '../methods/sag/patch-set.ts';
import { layoutOf } from '../methods/sag/sag.ts';
import type { Sag } from '../methods/sag/schema.ts';
import { denormalize, type Preprocessing } from '../model/input/preprocessing.ts';
import { renderGrid } from '../model/render-perturbation.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** The brightness of hidden parts: enough to recognize the picture. */
const DIMMED = 0.3;

/**
 * The thumbnails of nodes, each `side` × `side` pixels: the model's input with the patches of the
 * node at full brightness, and the rest dark and grey. (The model sees the baseline there.)
 */
export function sagThumbnails(
  sag: Sag,
  input: Tensor,
  preprocessing: Preprocessing,
  ids: readonly number[],
  side = 192,
): Map<number, Image> {
  const whole = resizeImage(denormalize(input, preprocessing), side, side);
  const grids = patchGrids(
    ids.map((id) => patchSetOf(sag.nodes[id].patches)),
    layoutOf(sag),
    side,
    side,
  );
  return new Map(
    ids.map((id, n) => {
      const mask = renderGrid(grids, n, side, side);
      const data = whole.data.map((value, i) => {
        const at = 3 * Math.floor(i / 3);
        const grey =
          DIMMED *
          (0.299 * whole.data[at] + 0.587 * whole.data[at + 1] + 0.114 * whole.data[at + 2]);
        return Math.round(mask[(i / 3) | 0] * value + (1 - mask[(i / 3) | 0]) * grey);
      });
      return [id, image(side, side, data)];
    }),
  );
}
