import type { Image } from '../image/image.ts';

/** sRGB byte to linear light, IEC 61966-2-1. */
const LINEAR = Float64Array.from({ length: 256 }, (_, byte) => {
  const v = byte / 255;
  return v > 0.04045 ? ((v + 0.055) / 1.055) ** 2.4 : v / 12.92;
});

/** CIE 1976: f(t) = ∛t above (6/29)³, else t / (3 (6/29)²) + 4/29. */
const f = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);

/** A picture in CIE L*a*b* (D65, 2° observer), [height · width · 3] with L* 0 … 100. */
export function rgbToLab({ data }: Image): Float64Array {
  const lab = new Float64Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [LINEAR[data[i]], LINEAR[data[i + 1]], LINEAR[data[i + 2]]];
    const x = f((0.412453 * r + 0.35758 * g + 0.180423 * b) / 0.95047);
    const y = f(0.212671 * r + 0.71516 * g + 0.072169 * b);
    const z = f((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.08883);
    lab[i] = 116 * y - 16;
    lab[i + 1] = 500 * (x - y);
    lab[i + 2] = 200 * (y - z);
  }
  return lab;
}
