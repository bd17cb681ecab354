import { describe, expect, test } from 'vitest';
import { type ReportPage, reportHtml } from './report.ts';

const page: ReportPage = {
  title: 'Maps of <cats> & "dogs"',
  lead: 'What the model sees.',
  facts: [['model', 'demo-cnn']],
  sections: [
    {
      title: 'Results',
      table: {
        caption: 'Scores',
        columns: [
          { title: 'method' },
          { title: 'hits', best: 'highest' },
          { title: 'seconds', best: 'lowest' },
        ],
        rows: [
          ['iassa', { value: 0.9, text: '90%' }, { value: 3, text: '3.0' }],
          ['rise', { value: 0.8, text: '80%' }, { value: 2, text: '2.0' }],
        ],
      },
      legends: [{ colormap: 'inferno', title: 'unsigned', low: 'least', high: 'most' }],
      gallery: {
        rows: [
          {
            title: 'cat',
            cells: [
              {
                source: 'data:image/png;base64,AA==',
                alt: 'a cat',
                title: 'IASSA',
                mark: { text: 'hit', kind: 'good' },
                peak: { x: 0.25, y: 0.5 },
              },
            ],
          },
        ],
      },
      details: [{ title: 'Parameters', text: '{"a": "<b>"}' }],
    },
  ],
  footer: 'Made by Fovea.',
};

describe('reportHtml', () => {
  const html = reportHtml(page);

  test('escapes all text', () => {
    expect(html).toContain('<title>Maps of &lt;cats> &amp; &quot;dogs&quot;</title>');
    expect(html).toContain('{&quot;a&quot;: &quot;&lt;b>&quot;}');
    const hostile = `"><script>alert('&')</script>`;
    const cells = [{ source: hostile, alt: hostile, title: hostile, detail: hostile }];
    const legend = [{ text: hostile, colour: hostile, dash: hostile }];
    const style = { colour: hostile, dash: hostile };
    const series = [{ name: hostile, x: [0], y: [0], style }];
    const chart = { alt: hostile, xTitle: hostile, yTitle: hostile, series };
    const text = [hostile];
    const gallery = { rows: [{ title: hostile, detail: hostile, cells }] };
    const table = { caption: hostile, columns: [{ title: hostile }], rows: [text], note: hostile };
    const sections = [
      { title: hostile, text, list: text, table, gallery },
      { title: hostile, charts: [{ title: hostile, chart, legend }] },
      { title: hostile, drawing: cells[0], details: [{ title: hostile, text: hostile }] },
    ];
    const facts = [[hostile, hostile]] as const;
    const all = reportHtml({ title: hostile, lead: hostile, facts, sections, footer: hostile });
    expect(all).not.toContain('<script');
    expect(all.split('&lt;script').length).toBeGreaterThan(30);
    expect(all).not.toContain('"">');
  });

  test('needs nothing from outside: no script, no link, no address', () => {
    expect(html).not.toMatch(/<script|<link|@import|url\(|https?:/);
  });

  test('marks the best number of a column', () => {
    expect(html).toContain('<td class="number best">● 90%</td><td class="number">3.0</td>');
    expect(html).toContain('<td class="number">80%</td><td class="number best">● 2.0</td>');
  });

  test('pictures have a description, tables a caption and row heads', () => {
    expect(html).toContain('alt="a cat"');
    expect(html).toContain('<caption>Scores</caption>');
    expect(html).toContain('<th scope="row">iassa</th>');
  });

  test('puts the ring where the peak is', () => {
    expect(html).toContain('left:25.00%;top:50.00%');
  });
});
