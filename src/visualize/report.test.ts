import { describe, expect, test } from 'vitest';
import { escapeHtml } from './markup.ts';
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
    expect(escapeHtml(`<a href="x">'&'</a>`)).toBe(
      '&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;',
    );
    expect(html).toContain('<title>Maps of &lt;cats&gt; &amp; &quot;dogs&quot;</title>');
    expect(html).toContain('{&quot;a&quot;: &quot;&lt;b&gt;&quot;}');
  });

  test('asks for nothing from outside: no script, no link, no address', () => {
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
