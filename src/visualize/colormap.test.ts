import { describe, expect, test } from 'vitest';
import { colormap, colormapNames, colourIndex, cssGradient } from './colormap.ts';

const colourAt = (name: string, index: number) => [
  ...colormap(name).table.subarray(3 * index, 3 * index + 3),
];
const luminance = ([r, g, b]: number[]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

describe('colormap', () => {
  test('every map has 256 colours', () => {
    for (const name of colormapNames) expect(colormap(name).table).toHaveLength(768);
  });

  test('the ends are those of matplotlib', () => {
    expect(colourAt('viridis', 0)).toEqual([68, 1, 84]);
    expect(colourAt('viridis', 255)).toEqual([253, 231, 37]);
    expect(colourAt('inferno', 0)).toEqual([0, 0, 4]);
    expect(colourAt('inferno', 255)).toEqual([252, 255, 164]);
    expect(colourAt('jet', 0)).toEqual([0, 0, 128]);
    expect(colourAt('jet', 255)).toEqual([128, 0, 0]);
    expect(colourAt('grey', 128)).toEqual([128, 128, 128]);
  });

  test('the default becomes lighter from end to end, so it is readable without color', () => {
    for (const name of ['inferno', 'viridis', 'magma', 'grey']) {
      for (let i = 8; i < 256; i += 8)
        expect(luminance(colourAt(name, i))).toBeGreaterThan(luminance(colourAt(name, i - 8)));
    }
  });

  test('ice-fire is inferno upwards and the same with red and blue exchanged downwards', () => {
    expect(colourAt('ice-fire', 255)).toEqual(colourAt('inferno', 255));
    const [r, g, b] = colourAt('ice-fire', 220);
    expect(colourAt('ice-fire', 255 - 220)).toEqual([b, g, r]);
  });

  test('a diverging map has zero in the middle', () => {
    expect(colourIndex(colormap('ice-fire'), 0)).toBe(128);
    expect(colourIndex(colormap('ice-fire'), -1)).toBe(0);
    expect(colourIndex(colormap('inferno'), 0)).toBe(0);
    expect(colourIndex(colormap('inferno'), 7)).toBe(255);
  });

  test('an unknown name is a usage error that lists the known ones', () => {
    expect(() => colormap('rainbow')).toThrow(/unknown color map "rainbow".*viridis/);
    expect(() => colormap('toString')).toThrow('unknown color map');
  });

  test('a CSS gradient starts and ends with the ends of the map', () => {
    expect(cssGradient('grey', 'to right', 3)).toBe(
      'linear-gradient(to right, rgb(0 0 0), rgb(128 128 128), rgb(255 255 255))',
    );
  });
});
