/**
 * The style sheet of report pages: one column on a phone, a grid on a screen, little ink in print,
 * a light and a dark theme.
 */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #fbfaf8; --panel: #ffffff; --ink: #1d1b22; --soft: #5d5965; --line: #e4e0da;
  --accent: #a3320b; --good: #1f6f4a; --good-ground: #e2f2ea; --bad: #8d2f1d;
  --bad-ground: #fae8e3; --plain-ground: #efece7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #141318; --panel: #1d1b22; --ink: #ece9e4; --soft: #a9a4b0; --line: #35323d;
    --accent: #ff9b54; --good: #7fd6a8; --good-ground: #17372a; --bad: #ff9f8a;
    --bad-ground: #43201a; --plain-ground: #2a2731;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.6 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
    sans-serif;
  -webkit-text-size-adjust: 100%; text-size-adjust: 100%;
}
.page { max-width: 1240px; margin: 0 auto; padding: 0 clamp(16px, 3vw, 40px) 48px; }
header { padding: clamp(28px, 5vw, 56px) 0 8px; }
.brand {
  display: flex; align-items: center; gap: 10px; font-weight: 650; letter-spacing: 0.01em;
  color: var(--accent);
}
.brand svg { width: 26px; height: 26px; }
h1 {
  font-size: clamp(1.9rem, 4.6vw, 3rem); line-height: 1.12; letter-spacing: -0.022em;
  margin: 14px 0 14px; max-width: 24ch; text-wrap: balance;
}
h2 {
  font-size: clamp(1.35rem, 2.6vw, 1.75rem); line-height: 1.25; letter-spacing: -0.012em;
  margin: 0 0 10px; text-wrap: balance;
}
h3 { font-size: 1rem; line-height: 1.4; margin: 0 0 10px; font-weight: 620; }
h3 span { font-weight: 400; color: var(--soft); }
p { margin: 0 0 12px; max-width: 72ch; text-wrap: pretty; }
.lead { font-size: 1.12rem; color: var(--soft); }
section { margin-top: clamp(36px, 5vw, 60px); }
.facts {
  display: flex; flex-wrap: wrap; gap: 12px 36px; margin: 22px 0 0; padding: 16px 0;
  border-block: 1px solid var(--line);
}
.facts div { min-width: 7rem; }
.facts dt { font-size: 0.8rem; color: var(--soft); }
.facts dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
.scroll {
  overflow-x: auto; margin: 18px 0 8px; border: 1px solid var(--line); border-radius: 12px;
  background: var(--panel);
}
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 12px 16px 0; font-size: 0.88rem; color: var(--soft); }
th, td {
  padding: 10px 16px; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap;
}
thead th {
  font-size: 0.82rem; font-weight: 600; color: var(--soft); vertical-align: bottom;
  white-space: normal;
}
tbody tr:last-child > * { border-bottom: 0; }
tbody th { font-weight: 600; }
.number { text-align: right; }
.best { font-weight: 700; color: var(--good); }
.note { font-size: 0.88rem; color: var(--soft); }
td small, th small {
  display: block; white-space: normal; font-size: 0.78rem; font-weight: 400; color: var(--soft);
}
.scroll tbody th, .scroll thead th:first-child {
  position: sticky; left: 0; background: var(--panel);
}
main ul { margin: 0 0 12px; padding-left: 1.2em; max-width: 72ch; }
.charts {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr));
  gap: 18px; margin: 18px 0 8px;
}
.chart {
  margin: 0; padding: 14px 16px; border: 1px solid var(--line); border-radius: 12px;
  background: var(--panel); break-inside: avoid;
}
.chart > svg { display: block; width: 100%; height: auto; margin: 8px 0; }
.chart > figcaption { font-weight: 600; font-size: 0.95rem; margin: 0; }
.chart ul {
  display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 0; padding: 0; list-style: none;
  font-size: 0.82rem; font-variant-numeric: tabular-nums;
}
.chart li { display: flex; align-items: center; gap: 7px; }
.chart li svg { width: 24px; height: 8px; flex: none; }
.legend { display: flex; flex-wrap: wrap; gap: 14px 36px; margin: 16px 0 22px; }
.legend figure { margin: 0; flex: 1 1 240px; max-width: 380px; }
.bar { height: 12px; border-radius: 6px; border: 1px solid var(--line); }
.legend figcaption { font-size: 0.82rem; color: var(--soft); }
.ends {
  display: flex; justify-content: space-between; font-size: 0.8rem; color: var(--soft);
  margin-top: 2px;
}
.scroll + .row { margin-top: 22px; }
.row { padding: 16px 0 20px; border-top: 1px solid var(--line); break-inside: avoid; }
.cells {
  display: grid; grid-template-columns: repeat(min(7, var(--columns)), minmax(0, 1fr)); gap: 14px;
}
.cell { margin: 0; min-width: 0; }
.drawing {
  display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 12px;
}
.picture {
  position: relative; border-radius: 8px; overflow: hidden; background: var(--plain-ground);
}
.picture img { display: block; width: 100%; height: auto; aspect-ratio: 1; }
.peak {
  position: absolute; width: 16px; height: 16px; margin: -8px 0 0 -8px; border-radius: 50%;
  border: 2px solid #fff; box-shadow: 0 0 0 1.5px #000, inset 0 0 0 1.5px #000;
}
figcaption { font-size: 0.84rem; line-height: 1.4; margin-top: 6px; }
figcaption b { font-weight: 600; display: block; overflow-wrap: anywhere; }
figcaption small { font-size: inherit; color: var(--soft); font-variant-numeric: tabular-nums; }
.mark {
  display: inline-block; font-weight: 600; border-radius: 5px; padding: 0 6px; margin-right: 5px;
  background: var(--plain-ground);
}
.mark.good { color: var(--good); background: var(--good-ground); }
.mark.bad { color: var(--bad); background: var(--bad-ground); }
details {
  border: 1px solid var(--line); border-radius: 12px; background: var(--panel); margin-top: 12px;
}
summary { padding: 11px 16px; cursor: pointer; font-weight: 600; }
summary:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 12px;
}
pre {
  margin: 0; padding: 4px 16px 16px; overflow-x: auto;
  font: 0.8rem/1.55 ui-monospace, "SF Mono", Menlo, Consolas, monospace; color: var(--soft);
}
footer {
  margin-top: 56px; padding-top: 16px; border-top: 1px solid var(--line); font-size: 0.86rem;
  color: var(--soft);
}
@media (max-width: 860px) {
  .cells { grid-template-columns: repeat(min(3, var(--columns)), minmax(0, 1fr)); }
}
@media (max-width: 520px) {
  .cells { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 14px 12px; }
  th, td { padding: 9px 12px; }
}
@media print {
  :root {
    --ground: #fff; --panel: #fff; --ink: #000; --soft: #444; --line: #bbb; --accent: #7a2408;
    --good: #14532d; --good-ground: #fff; --bad: #7a1f10; --bad-ground: #fff;
    --plain-ground: #fff;
  }
  body { font-size: 10.5pt; }
  .page { max-width: none; padding: 0; }
  .cells { grid-template-columns: repeat(min(7, var(--columns)), minmax(0, 1fr)); gap: 8px; }
  .row { break-inside: auto; }
  .cell { break-inside: avoid; }
  .scroll { overflow: visible; }
  th, td { padding: 5px 7px; white-space: normal; }
  td small { font-size: 7pt; }
  .bar, .picture, .peak { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  section { break-inside: auto; }
  h2, h3 { break-after: avoid; }
}
`;
