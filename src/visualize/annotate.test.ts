import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { annotate, colorBarOf } from './annotate.ts';
import { colormap } from './colormap.ts';

const shown = (values: readonly number[], signed: boolean, against: readonly object[] = []) => ({
  map: tensor([1, values.length], Float32Array.from(values)),
  signed,
  target: { against },
});

describe('colorBarOf', () => {
  it('names both sides of a signed map, and the other class of a contrast', () => {
    expect(colorBarOf(shown([-1, 2], true))).toEqual({
      colormap: 'ice-fire',
      range: [0, 1],
      low: 'against the class',
      middle: '0',
      high: 'for the class',
    });
    expect(colorBarOf(shown([-1, 2], true, [{}])).low).toBe('for the other class');
    expect(colorBarOf(shown([-1, 2], true), 'viridis').low).toBe('0, or against the class');
  });

  it('uses one side of the color map for a map that has one side', () => {
    expect(colorBarOf(shown([0, 2], false))).toMatchObject({ colormap: 'inferno', range: [0, 1] });
    expect(colorBarOf(shown([1, 2], true))).toMatchObject({
      colormap: 'ice-fire',
      range: [0.5, 1],
      low: 'least salient',
      high: 'most salient',
    });
  });
});

describe('annotate', () => {
  const bar = colorBarOf(shown([1, 2], true));
  const drawn = (width: number, height: number, title = 'cat & dog 71.0%') =>
    annotate({ source: 'data:,x', width, height, title, detail: 'rise · net · a<b.jpg', bar });
  const numbers = (svg: string, pattern: RegExp) => (pattern.exec(svg) ?? []).slice(1).map(Number);

  it('keeps the size of the picture, and leaves room for the text above and the bar below', () => {
    const svg = drawn(500, 375);
    const [width, height] = numbers(svg, /viewBox="0 0 (\d+) (\d+)"/);
    const [x, y, w, h] = numbers(
      svg,
      /<image [^>]*x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"/,
    );
    expect([x, w, h, width]).toEqual([0, 500, 375, 500]);
    expect(y).toBeGreaterThan(30);
    expect(height - y - h).toBeGreaterThan(30);
    expect(svg).toContain('cat &amp; dog 71.0%');
    expect(svg).toContain('rise · net · a&lt;b.jpg');
  });

  it('centers a small picture, and cuts a title that is too long', () => {
    const svg = drawn(96, 96, 'x'.repeat(200));
    expect(numbers(svg, /<image [^>]*x="(\d+)"/)).toEqual([112]);
    expect(svg).toMatch(/>x{10,60}…</);
  });

  it('has text that grows with the picture', () => {
    const sizeOf = (svg: string) => numbers(svg, /font-size="([\d.]+)" font-weight="700"/)[0] ?? 0;
    expect(sizeOf(drawn(4000, 3000)) / sizeOf(drawn(400, 300))).toBeGreaterThan(5);
  });

  it('shows the colors of the part of the color map that the map uses', () => {
    const svg = drawn(500, 375);
    const { table } = colormap('ice-fire');
    const colours = [...svg.matchAll(/stop-color="rgb\((\d+),(\d+),(\d+)\)"/g)].map((match) =>
      match.slice(1).map(Number),
    );
    expect(colours[0]).toEqual([...table.subarray(3 * 128, 3 * 128 + 3)]);
    expect(colours.at(-1)).toEqual([...table.subarray(3 * 255)]);
  });
});
