/**
 * Looks up one channel of interleaved RGB pixels in a table: plane[i] = table[data[3 i + channel]].
 * `plane` has one element per pixel.
 */
export function lookUp(
  data: Uint8Array,
  channel: number,
  table: Float32Array,
  plane: Float32Array,
): void {
  for (let i = 0; i < plane.length; i++) plane[i] = table[data[3 * i + channel]];
}

/**
 * Looks up the luma of interleaved RGB pixels in a table. The luma is that of Pillow's `L`: (19595
 * R + 38470 G + 7471 B + 32768) / 65536.
 */
export function luminance(data: Uint8Array, table: Float32Array): Float32Array {
  const luma = (i: number) =>
    (19595 * data[3 * i] + 38470 * data[3 * i + 1] + 7471 * data[3 * i + 2] + 32768) >>> 16;
  return Float32Array.from({ length: data.length / 3 }, (_, i) => table[luma(i)]);
}
