import { afterAll, describe, expect, it } from 'vitest';
import { IMAGENET_PREPROCESSING, preprocess } from '../../src/model/input/preprocessing.ts';
import { sagSvg } from '../../src/node/sag-png.ts';
import { encodePng, pictureUri } from '../../src/node/write-image.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import {
  drawContactSheet,
  drawOutline,
  type LineChart,
  lineChartSvg,
  overlay,
  type ReportCell,
  type ReportPage,
  type ReportSection,
  reportHtml,
  seriesStyles,
} from '../../src/visualize/index.ts';
import { closeBrowser, haveChromium, renderPage, renderSvg } from './browser.ts';
import { expectGolden, shareOfDifferences } from './compare.ts';
import { bumps, center, sag, scene, signedMap, unsignedMap } from './scene.ts';

/** Share of pixels that may differ: pictures are the same everywhere, text depends on fonts. */
const [PICTURE, TEXT] = [0.001, 0.04];

describe('pictures', () => {
  it('an overlay of a map', async () => {
    await expectGolden(await encodePng(overlay(scene.image, unsignedMap)), 'overlay', PICTURE);
  });

  it('an overlay of a signed map', async () => {
    const picture = overlay(scene.image, signedMap, { signed: true });
    await expectGolden(await encodePng(picture), 'overlay-signed', PICTURE);
  });

  it('the outline of an object', async () => {
    const line = { colour: [255, 255, 255], thickness: 2 } as const;
    const picture = drawOutline(scene.image, scene.mask, line);
    await expectGolden(await encodePng(picture), 'outline', PICTURE);
  });
});

const overlayUri = (map = unsignedMap, signed = false): Promise<string> =>
  pictureUri(overlay(scene.image, map, { signed }), 'webp', 90);

const names = ['iassa', 'rise', 'grad-cam', 'random'];
const styles = seriesStyles(names.map((name) => name === 'random'));
const chart: LineChart = {
  alt: 'deletion curves of four methods',
  xTitle: 'share of pixels deleted',
  yTitle: 'probability of the class',
  series: names.map((name, n) => {
    const x = Array.from({ length: 51 }, (_, k) => k / 50);
    return { name, x, y: x.map((share) => Math.exp(-share * (9 - 2.4 * n))), style: styles[n] };
  }),
};

const insertion: LineChart = {
  ...chart,
  alt: 'insertion curves of four methods',
  xTitle: 'share of pixels inserted',
  series: chart.series.map((each) => ({ ...each, y: each.y.map((y) => 1 - y) })),
};

const score = (value: number, detail?: string) => ({ value, text: value.toFixed(3), detail });

const scores: ReportSection = {
  title: 'Scores',
  text: ['Means over the pictures, with 95% intervals.'],
  table: {
    caption: 'Scores of the methods',
    columns: [
      { title: 'method' },
      { title: 'pointing game ↑', best: 'highest' },
      { title: 'deletion ↓', best: 'lowest' },
      { title: 'insertion ↑', best: 'highest' },
    ],
    rows: [
      ['iassa', score(1, '0.93 – 1.00'), score(0.112, '0.09 – 0.13'), score(0.71)],
      ['rise', score(0.92, '0.84 – 0.98'), score(0.151, '0.12 – 0.18'), score(0.74)],
      ['grad-cam', score(0.9, '0.80 – 0.97'), score(0.238, '0.20 – 0.27'), score(0.68)],
      ['random', score(0.17, '0.10 – 0.25'), score(0.55, '0.49 – 0.60'), 'no value'],
    ],
    note: '↑ higher is better, ↓ lower is better; ● best of its column.',
  },
  charts: [chart, insertion].map((each, i) => ({
    title: ['Deletion', 'Insertion'][i],
    chart: each,
    legend: names.map((text, n) => ({ text, ...styles[n] })),
  })),
};

async function cell(
  title: string,
  map: Tensor,
  signed: boolean,
  hit: boolean,
): Promise<ReportCell> {
  return {
    source: await overlayUri(map, signed),
    alt: `${title} map of the teapot`,
    title,
    detail: hit ? 'peak on the object' : 'peak elsewhere',
    mark: hit ? { text: 'hit', kind: 'good' } : { text: 'miss', kind: 'bad' },
    peak: hit ? center : { x: 0.8, y: 0.8 },
  };
}

async function maps(): Promise<ReportSection> {
  const far = bumps([{ x: 0.8, y: 0.8, sigma: 0.1, height: 1 }]);
  const cells = await Promise.all([
    cell('IASSA', unsignedMap, false, true),
    cell('Grad-CAM', signedMap, true, true),
    cell('Random', far, false, false),
  ]);
  return {
    title: 'Maps',
    legends: [
      { colormap: 'inferno', title: 'unsigned', low: 'none', high: 'most salient' },
      { colormap: 'ice-fire', title: 'signed', low: 'against', middle: '0', high: 'for' },
    ],
    gallery: { rows: [{ title: 'teapot', detail: '86%', cells }] },
    details: [{ title: 'Parameters', text: '{ "seed": 0 }' }],
  };
}

const page = async (): Promise<ReportPage> => ({
  title: 'Four methods on two scenes',
  lead: 'How well do their maps find the object, and how fast does the score fall without it?',
  facts: [
    ['model', 'demo-cnn'],
    ['pictures', '2'],
    ['methods', '4'],
  ],
  sections: [scores, await maps()],
  footer: 'Made by Fovea.',
});

describe.skipIf(!haveChromium)('drawings and pages', () => {
  afterAll(closeBrowser);

  it('a line chart', async () => {
    const svg = lineChartSvg(chart);
    await expectGolden(await renderSvg(svg, 460), 'line-chart', TEXT);
  });

  it('a contact sheet', async () => {
    const shares = [0.25, 0.5];
    const rows = await Promise.all(
      shares.map(async (share) => ({
        title: `${100 * share}% of the salient box replaced: 2 of 3 keep the prediction`,
        cells: await Promise.all(
          ['blur', 'noise', 'colour'].map(async (filler, n) => ({
            source: await overlayUri(n === 0 ? signedMap : unsignedMap, n === 0),
            title: `${filler} ${90 - 30 * n}%`,
            good: n < 2,
            detail: n < 2 ? undefined : '→ coffee pot 41%',
          })),
        ),
      })),
    );
    const svg = drawContactSheet({
      title: 'teapot: alternates',
      rows,
      notes: ['Green frame: teapot stays the most probable class.', 'blur: the region, blurred.'],
    });
    await expectGolden(await renderSvg(svg, 620), 'contact-sheet', TEXT);
  });

  it('a structured attention graph', async () => {
    const preprocessing = { ...IMAGENET_PREPROCESSING, size: [224, 224] as const };
    const svg = await sagSvg(sag, {
      input: preprocess(scene.image, preprocessing),
      preprocessing,
      title: 'scene 6',
    });
    await expectGolden(await renderSvg(svg, 820), 'sag', TEXT);
  });

  it.each([
    ['report', 1100],
    ['report-narrow', 390],
  ])('the page %s', async (name, width) => {
    await expectGolden(await renderPage(reportHtml(await page()), width), name, TEXT);
  });
});

describe('the comparison', () => {
  const dots = (width: number, values: readonly number[]) => ({
    width,
    height: 1,
    data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
  });

  it('counts pixels that differ visibly, and those that only one picture has', () => {
    expect(shareOfDifferences(dots(4, [0, 9, 9, 9]), dots(4, [0, 9, 40, 99]))).toBe(0.25);
    expect(shareOfDifferences(dots(2, [0, 9]), dots(4, [0, 9, 9, 9]))).toBe(0.5);
  });
});
