/**
 * The offsets of windows of `size` pixels along an axis of `length` pixels, `stride` apart. The
 * last window ends at the border.
 */
function offsets(length: number, size: number, stride: number): number[] {
  const last = Math.max(0, length - size);
  const regular = Array.from({ length: Math.floor(last / stride) + 1 }, (_, i) => i * stride);
  return regular[regular.length - 1] < last ? [...regular, last] : regular;
}

/**
 * Sliding windows inside the picture, four integers each: top, left, bottom, right (the last two
 * exclusive).
 */
export function slidingWindows(
  height: number,
  width: number,
  size: readonly [number, number],
  stride: readonly [number, number],
): Int32Array {
  const lefts = offsets(width, size[1], stride[1]);
  return Int32Array.from(
    offsets(height, size[0], stride[0]).flatMap((top) =>
      lefts.flatMap((left) => [
        top,
        left,
        Math.min(height, top + size[0]),
        Math.min(width, left + size[1]),
      ]),
    ),
  );
}

/**
 * For each pixel, [height · width], the sum of `values` over the windows that cover it, and the
 * number of these windows. The cost is linear in windows plus pixels: each window adds its value at
 * four corners, and two running sums spread it (a summed-area table in reverse).
 */
export function windowSums(
  windows: Int32Array,
  values: ArrayLike<number>,
  height: number,
  width: number,
): { sums: Float64Array; coverage: Float64Array } {
  const sums = spread(windows, values, height, width);
  const coverage = spread(windows, new Float64Array(windows.length / 4).fill(1), height, width);
  return { sums, coverage };
}

function spread(
  windows: Int32Array,
  values: ArrayLike<number>,
  height: number,
  width: number,
): Float64Array {
  const stride = width + 1;
  const corners = new Float64Array((height + 1) * stride);
  for (let n = 0; n < windows.length / 4; n++) {
    const top = Math.max(0, windows[4 * n]);
    const left = Math.max(0, windows[4 * n + 1]);
    const bottom = Math.min(height, windows[4 * n + 2]);
    const right = Math.min(width, windows[4 * n + 3]);
    if (bottom <= top || right <= left) continue;
    corners[top * stride + left] += values[n];
    corners[top * stride + right] -= values[n];
    corners[bottom * stride + left] -= values[n];
    corners[bottom * stride + right] += values[n];
  }
  const result = new Float64Array(height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0, row = 0; x < width; x++) {
      row += corners[y * stride + x];
      result[y * width + x] = row + (y > 0 ? result[(y - 1) * width + x] : 0);
    }
  }
  return result;
}
