import { join, relative } from 'node:path';
import { loadSprites } from '../../demo/sprites.ts';
import { throwIfCancelled } from '../../errors.ts';
import { methods as registry } from '../../methods/index.ts';
import { loadModel } from '../../node/load-model.ts';
import { writeFileAtomic } from '../../node/write-file.ts';
import { at } from '../../tensor/at.ts';
import type { ReportTable } from '../../visualize/report.ts';
import { formatTable } from '../output.ts';
import { cheatTable, type DemoResults, demoPage, methodTable } from './demo-page.ts';
import {
  askUntagged,
  type DemoScene,
  demoScenes,
  explainScene,
  type TaggedScene,
  taggedScenes,
} from './demo-scenes.ts';

/** The options of `fovea demo`. */
export interface DemoFlags {
  readonly scenes: number;
  /** Scenes with the sticker. */
  readonly tagged: number;
  readonly out: string;
}

/**
 * Says on stderr how far the demo is: one line that is overwritten on a terminal, and ten lines in
 * all elsewhere. Stops the demo if it is interrupted.
 */
function createTicker(total: number, signal: AbortSignal): (what: string) => void {
  let done = 0;
  let said = 0;
  return (what) => {
    throwIfCancelled(signal);
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
  settings: DemoFlags,
  { honest, cheat, transformer }: Pick<DemoResults, 'honest' | 'cheat' | 'transformer'>,
  signal: AbortSignal,
): Promise<DemoResults> {
  const started = performance.now();
  const sprites = await loadSprites();
  const methods = [...registry];
  const forTransformer = methods.filter(({ needs }) => !needs.includes('black-box'));
  const tick = createTicker(
    settings.scenes * methods.length + settings.tagged * 2 * methods.length + forTransformer.length,
    signal,
  );
  const scenes: DemoScene[] = [];
  for (const scene of demoScenes(sprites, settings.scenes))
    scenes.push(await explainScene(honest, scene, methods, () => tick(scene.className)));
  const first = at(demoScenes(sprites, 1), 0);
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

/** `fovea demo`: explains the demo scenes with every method. Returns the exit code. */
export async function demoCommand(
  _args: readonly string[],
  flags: DemoFlags,
  signal: AbortSignal,
): Promise<number> {
  const models = {
    honest: await loadModel('demo-cnn', { signal }),
    cheat: await loadModel('demo-cnn-biased', { signal }),
    transformer: await loadModel('demo-vit', { signal }),
  };
  const results = await run(flags, models, signal);
  printTable(methodTable(results));
  printTable(cheatTable(results));
  const path = join(flags.out, 'index.html');
  await writeFileAtomic(path, await demoPage(results));
  process.stdout.write(`\nThe maps, to look at: ${relative('.', path)} (open it in a browser)\n`);
  await Promise.all(Object.values(models).map((model) => model.dispose()));
  return 0;
}
