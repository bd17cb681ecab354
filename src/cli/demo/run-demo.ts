import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { loadSprites } from '../../demo/sprites.ts';
import { FoveaError } from '../../errors.ts';
import { methods as registry } from '../../methods/index.ts';
import { loadModel } from '../../node/load-model.ts';
import { writeFileAtomic } from '../../node/write-file.ts';
import type { ReportTable } from '../../visualize/report.ts';
import { describeError, exitCodeOf, formatTable, writeMessage } from '../output.ts';
import { cheatTable, type DemoResults, demoPage, methodTable } from './demo-page.ts';
import {
  askUntagged,
  type DemoScene,
  demoScenes,
  explainScene,
  type TaggedScene,
  taggedScenes,
} from './demo-scenes.ts';

const USAGE = 'usage: npm run demo -- [--scenes N] [--tagged N] [--out FOLDER]';

interface Settings {
  readonly scenes: number;
  readonly tagged: number;
  readonly out: string;
}

function readSettings(): Settings {
  const count = (text: string): number => {
    if (!/^\d+$/.test(text) || Number(text) < 1)
      throw new FoveaError('usage', `"${text}" is no number of scenes; ${USAGE}`);
    return Number(text);
  };
  try {
    const { values } = parseArgs({
      options: {
        scenes: { type: 'string', default: '3' },
        tagged: { type: 'string', default: '1' },
        out: { type: 'string', default: 'demo-results' },
      },
    });
    return { scenes: count(values.scenes), tagged: count(values.tagged), out: values.out };
  } catch (error) {
    if (error instanceof FoveaError) throw error;
    throw new FoveaError('usage', USAGE, { cause: error });
  }
}

/**
 * Says on stderr how far the demo is: one line that is written over on a terminal, a line now and
 * then elsewhere.
 */
function createTicker(total: number): (what: string) => void {
  let done = 0;
  let said = 0;
  return (what) => {
    done += 1;
    if (process.stderr.isTTY)
      process.stderr.write(
        `\r\x1b[2K${Math.floor((100 * done) / total)}%  ${what}${done === total ? '\n' : ''}`,
      );
    else if (done / total >= said + 0.1 || done === total) {
      said = done / total;
      process.stderr.write(`${Math.floor(100 * said)}%  ${what}\n`);
    }
  };
}

async function run(
  settings: Settings,
  { honest, cheat, transformer }: Pick<DemoResults, 'honest' | 'cheat' | 'transformer'>,
): Promise<DemoResults> {
  const started = performance.now();
  const sprites = await loadSprites();
  const methods = [...registry];
  const forTransformer = methods.filter(({ needs }) => !needs.includes('black-box'));
  const tick = createTicker(
    settings.scenes * methods.length + settings.tagged * 2 * methods.length + forTransformer.length,
  );
  const scenes: DemoScene[] = [];
  for (const scene of demoScenes(sprites, settings.scenes))
    scenes.push(await explainScene(honest, scene, methods, () => tick(scene.className)));
  const [first] = demoScenes(sprites, 1);
  const seen = await explainScene(transformer, first, forTransformer, () =>
    tick(`${first.className} by a transformer`),
  );
  const tagged: TaggedScene[] = [];
  for (const pair of taggedScenes(sprites, settings.tagged)) {
    const report = () => tick(`${pair.tagged.className} with the sticker`);
    tagged.push({
      honest: await explainScene(honest, pair.tagged, methods, report),
      cheat: await explainScene(cheat, pair.tagged, methods, report),
      untagged: await askUntagged(cheat, pair.untagged),
    });
  }
  return {
    methods,
    honest,
    cheat,
    transformer,
    scenes,
    seen,
    tagged,
    seconds: (performance.now() - started) / 1000,
  };
}

function printTable({ caption, columns, rows }: ReportTable): void {
  const text = formatTable(
    columns.map(({ title }) => title),
    rows.map((row) => row.map((value) => (typeof value === 'string' ? value : value.text))),
  );
  process.stdout.write(`\n${caption}\n\n${text}\n`);
}

async function main(): Promise<void> {
  const settings = readSettings();
  const models = {
    honest: await loadModel('demo-cnn'),
    cheat: await loadModel('demo-cnn-biased'),
    transformer: await loadModel('demo-vit'),
  };
  const results = await run(settings, models);
  printTable(methodTable(results));
  printTable(cheatTable(results));
  const path = join(settings.out, 'index.html');
  await writeFileAtomic(path, await demoPage(results));
  process.stdout.write(`\nThe maps, to look at: ${relative('.', path)} (open it in a browser)\n`);
  await Promise.all(Object.values(models).map((model) => model.dispose()));
}

try {
  await main();
} catch (error) {
  writeMessage(describeError(error), error);
  process.exitCode = exitCodeOf(error);
}
