import { expect, it } from 'vitest';
import { lineChartSvg, seriesStyles } from './line-chart.ts';

const [first, second] = seriesStyles([false, true]);
const chart = (y: readonly number[]) =>
  lineChartSvg({
    alt: 'a <b>',
    xTitle: 'x',
    yTitle: 'y',
    series: [
      { name: 'one', x: [0, 0.5, 1], y, style: first },
      { name: 'two', x: [0, 1], y: [0, 1], style: second },
    ],
  });

it('draws points at their places: x from left to right, y from the bottom up', () => {
  const paths = [...chart([0, 1, 0]).matchAll(/ d="([^"]*)"/g)].map(([, d]) =>
    d
      .split(/[ML]/)
      .slice(1)
      .map((point) => point.split(',').map(Number)),
  );
  const [two, one] = [paths[0], paths[1]]; // the first series is drawn last, on top
  expect(one).toHaveLength(3);
  expect(one[1][0]).toBeCloseTo((one[0][0] + one[2][0]) / 2, 1);
  expect(one[0][1]).toBe(one[2][1]);
  expect(one[1][1]).toBeLessThan(one[0][1]);
  expect(two).toEqual([one[0], [one[2][0], one[1][1]]]);
});

it('describes itself in words, escaped, and accepts constant and missing values', () => {
  expect(chart([0, 0, 0])).toContain('aria-label="a &lt;b>"');
  for (const svg of [
    chart([0, 0, 0]),
    lineChartSvg({ alt: '', xTitle: '', yTitle: '', series: [] }),
  ])
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});

it('draws more than ten series differently, and controls unlike all others', () => {
  const styles = seriesStyles([...new Array(25).fill(false), true, true]);
  expect(new Set(styles.map(({ colour, dash }) => colour + dash)).size).toBe(27);
});
