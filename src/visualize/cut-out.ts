import { type Image, image } from '../image/image.ts';
import type { Region } from '../model/input/preprocessing.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { drawOutline } from './contour.ts';
import { projectMap } from './overlay.ts';

/** The brightness of the picture outside the mask. */
const DIMMED = 0.3;

/**
 * Shows only a part of a picture: inside `mask` [h, w] (1 inside, 0 outside) it is unchanged,
 * outside it is dark and grey, with an outline in between. `region` is the part of the picture that
 * the mask covers; the whole picture if not given.
 */
export function cutOut(picture: Image, mask: Tensor, region?: Region): Image {
  const { width, height, data } = picture;
  const inside = Uint8Array.from(projectMap(mask, width, height, region).data, (value) =>
    value >= 0.5 ? 1 : 0,
  ); // NaN counts as outside
  const shown = data.map((value, i) => {
    if (inside[Math.floor(i / 3)]) return value;
    const at = 3 * Math.floor(i / 3);
    return Math.round(DIMMED * (0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]));
  });
  return drawOutline(image(width, height, shown), inside, {
    thickness: Math.max(1, Math.round(Math.min(width, height) / 200)),
  });
}
