import Delaunator from 'delaunator';
import type { Image } from '../../image/image.ts';

/** The nearest whole number, ties to even, as in NumPy. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** Twice the signed area of the triangle a b c. */
const cross = (ax: number, ay: number, bx: number, by: number, cx: number, cy: number): number =>
  (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);

/** Sets the unknown pixels inside a triangle of known pixels by barycentric interpolation. */
function fillTriangle(
  picture: Image,
  known: Uint8Array,
  out: Uint8Array,
  corners: readonly [number, number, number],
): void {
  const { width, data } = picture;
  const [ax, bx, cx] = corners.map((pixel) => pixel % width);
  const [ay, by, cy] = corners.map((pixel) => Math.floor(pixel / width));
  const area = cross(ax, ay, bx, by, cx, cy);
  if (area === 0) return;
  for (let y = Math.min(ay, by, cy); y <= Math.max(ay, by, cy); y++) {
    for (let x = Math.min(ax, bx, cx); x <= Math.max(ax, bx, cx); x++) {
      const pixel = y * width + x;
      if (known[pixel]) continue;
      // These are whole numbers. So a pixel on an edge is inside both triangles, and both give it
      // the same value.
      const [a, b, c] = [
        cross(bx, by, cx, cy, x, y),
        cross(cx, cy, ax, ay, x, y),
        cross(ax, ay, bx, by, x, y),
      ];
      if (area > 0 ? Math.min(a, b, c) < 0 : Math.max(a, b, c) > 0) continue;
      for (let k = 0; k < 3; k++) {
        const sum =
          a * data[3 * corners[0] + k] +
          b * data[3 * corners[1] + k] +
          c * data[3 * corners[2] + k];
        out[3 * pixel + k] = roundHalfEven(sum / area);
      }
    }
  }
}

/**
 * Rebuilds a picture from its known pixels and the four corners. All other pixels are interpolated
 * linearly over the Delaunay triangles of the known pixels and rounded to bytes. If there is no
 * triangle (a picture of one row), they get the mean color. If more than three known pixels lie on
 * one circle, as on any square of pixels, the triangulation is not unique, and other libraries may
 * choose the other diagonal. Source: `create_blurred_image` of PAIR's `saliency` library
 * (Kapishnikov et al., XRAI, ICCV 2019).
 */
export function fillFromKnown(picture: Image, known: Uint8Array): Image {
  const { width, height } = picture;
  const given = known.slice();
  for (const corner of [0, width - 1, (height - 1) * width, height * width - 1]) given[corner] = 1;
  const data = picture.data.slice();
  const means = [0, 1, 2].map((k) =>
    roundHalfEven(
      data.reduce((sum, value, i) => sum + (i % 3 === k ? value : 0), 0) / given.length,
    ),
  );
  given.forEach((value, pixel) => value === 0 && data.set(means, 3 * pixel));
  const points = Uint32Array.from(given.keys()).filter((pixel) => given[pixel] !== 0);
  const { triangles } = new Delaunator(
    Float64Array.from({ length: 2 * points.length }, (_, i) =>
      i % 2 ? Math.floor(points[i >> 1] / width) : points[i >> 1] % width,
    ),
  );
  for (let t = 0; t < triangles.length; t += 3) {
    fillTriangle(picture, given, data, [
      points[triangles[t]],
      points[triangles[t + 1]],
      points[triangles[t + 2]],
    ]);
  }
  return { width, height, data };
}
