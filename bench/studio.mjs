// @ts-check
/**
 * The page of `fovea studio` in Chromium: seconds until the first map, and the CPU time of the longest
 * tasks of the page's thread while each view is at work. During a task the page does not answer.
 *
 * Usage: node bench/studio.mjs [--runs 3] [--seconds 8]
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { openStudio } from '../scripts/open-studio.mjs';
import { count, usage } from './harness.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '8' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) usage('node bench/studio.mjs [--runs 3] [--seconds 8]: seconds in each view');
const runs = count('runs', values.runs);
const seconds = count('seconds', values.seconds);

const VIEWS = [
  ...['Look', 'Compare', 'Paint', 'Hide and show', 'Enough'],
  ...['Trust', 'Sanity lab', 'Inside', 'Many pictures'],
];

const load = () => loadavg()[0].toFixed(1);
const { address, browser, close } = await openStudio();
console.log(`${cpus()[0]?.model}, ${cpus().length} cores, load average ${load()}`);

/**
 * CPU milliseconds of the tasks of the page's own thread, longest first. Wall time would count what
 * other programs take from it.
 * @returns {Promise<number[]>}
 */
async function tasksOf() {
  const { traceEvents } = JSON.parse(String(await browser.stopTracing()));
  const threads = new Set();
  for (const { name, pid, tid, args } of traceEvents)
    if (name === 'thread_name' && args.name === 'CrRendererMain') threads.add(`${pid} ${tid}`);
  /** @type {{ name: string, pid: number, tid: number, tdur?: number }[]} */
  const tasks = traceEvents;
  return tasks
    .filter(({ name, pid, tid }) => name === 'RunTask' && threads.has(`${pid} ${tid}`))
    .map(({ tdur = 0 }) => Math.round(tdur / 1000))
    .sort((x, y) => y - x);
}

for (let run = 0; run < runs; run++) {
  const context = await browser.newContext({ serviceWorkers: 'block' });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  const start = performance.now();
  await page.goto(address);
  await page.getByText(/^Made in/).waitFor();
  const first = (performance.now() - start) / 1000;
  console.log(`first map after ${first.toFixed(1)} s, load average ${load()}`);
  for (const view of run === 0 ? VIEWS : []) {
    const tabs = page.getByRole('navigation', { name: 'Ways to look' });
    const categories = ['disabled-by-default-devtools.timeline', 'toplevel'];
    await browser.startTracing(page, { categories });
    await tabs.getByRole('button', { name: view, exact: true }).click();
    if (view === 'Look') await page.getByRole('combobox', { name: 'Method' }).selectOption('rise');
    await page.waitForTimeout(1000 * seconds);
    const tasks = await tasksOf();
    const long = tasks.filter((task) => task > 50).length;
    console.log(
      `${view}: ${long} of ${tasks.length} over 50 ms, longest ${tasks.slice(0, 4).join(', ')} ms`,
    );
  }
  await context.close();
}
await close();
