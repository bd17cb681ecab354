import { join, relative } from 'node:path';
import { loadSprites } from '../../demo/sprites.ts';
import { throwIfCancelled } from '../../errors.ts';
import { methods as registry } from '../../methods/index.ts';
import { loadModel } from '../../node/load-model.ts';
import { writeFileAtomic } from '../../node/write-file.ts';
import { at } from '../../tensor/at.ts';
import type { ReportTable } from '../../visualize/report.ts';
import { createOutput, type Output } from '../output.ts';
import { formatTable } from '../table.ts';
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

/** Shows the progress of the demo. Stops the demo if it is interrupted. */
function createTicker(
  total: number,
  { progress }: Output,
  signal: AbortSignal,
): (what: string) => void {
  let done = 0;
  return (what) => {
    throwIfCancelled(signal);
    done += 1;
    progress.update(done / total, `map ${done} of ${total}, ${what}`);
  };
}

async function run(
  settings: DemoFlags,
  { honest, cheat, transformer }: Pick<DemoResults, 'honest' | 'cheat' | 'transformer'>,
  output: Output,
  signal: AbortSignal,
): Promise<DemoResults> {
  const started = performance.now();
  const sprites = await loadSprites();
  const methods = [...registry];
  const forTransformer = methods.filter(({ needs }) => !needs.includes('black-box'));
  const tick = createTicker(
    settings.scenes * methods.length + settings.tagged * 2 * methods.length + forTransformer.length,
    output,
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
  const output = createOutput({});
  const results = await run(flags, models, output, signal).finally(output.progress.stop);
  printTable(methodTable(results));
  printTable(cheatTable(results));
  const path = join(flags.out, 'index.html');
  await writeFileAtomic(path, await demoPage(results));
  process.stdout.write(`\nThe maps are in ${relative('.', path)} (open it in a browser)\n`);
  await Promise.all(Object.values(models).map((model) => model.dispose()));
  return 0;
}
