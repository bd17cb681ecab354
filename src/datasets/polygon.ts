/**
 * Fills a polygon into a mask. A pixel is inside if its centre is inside by the even-odd rule.
 * @param points x0, y0, x1, y1, … in pixels, the picture's top left corner at (0, 0)
 */
export function fillPolygon(
  mask: Uint8Array,
  width: number,
  height: number,
  points: readonly number[],
): void {
  const count = Math.floor(points.length / 2);
  let [top, bottom] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < count; i++) {
    top = Math.min(top, points[2 * i + 1]);
    bottom = Math.max(bottom, points[2 * i + 1]);
  }
  for (let row = Math.max(0, Math.floor(top)); row < Math.min(height, bottom); row++) {
    const y = row + 0.5;
    const crossings: number[] = [];
    for (let i = 0; i < count; i++) {
      const j = (i + 1) % count;
      const [xa, ya, xb, yb] = [points[2 * i], points[2 * i + 1], points[2 * j], points[2 * j + 1]];
      if (ya <= y !== yb <= y) crossings.push(xa + ((y - ya) / (yb - ya)) * (xb - xa));
    }
    crossings.sort((a, b) => a - b);
    for (let k = 0; k + 1 < crossings.length; k += 2) {
      // centres x + 0.5 in [crossing, next crossing)
      const from = Math.max(0, Math.ceil(crossings[k] - 0.5));
      const to = Math.min(width, Math.ceil(crossings[k + 1] - 0.5));
      for (let x = from; x < to; x++) mask[row * width + x] = 1;
    }
  }
}
