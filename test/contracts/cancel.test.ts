import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createScene } from '../../src/demo/scenes.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import {
  createOnnxModel,
  explain,
  methods,
  type Preprocessing,
  prepareInput,
  type Runtime,
} from '../../src/node.ts';
import { createWebRuntime } from '../../src/runtime/onnxruntime-web.ts';
import { FEW } from './few-options.ts';

/** The model call after which a timer cancels. */
const CANCELLED_AFTER = 2;

const folder = new URL('../../src/demo/models/', import.meta.url);
const { labels, preprocessing } = JSON.parse(
  readFileSync(new URL('demo-vit.json', folder), 'utf8'),
) as { labels: string[]; preprocessing: Preprocessing };
const { image, label } = createScene(await loadSprites(), 6, { className: 'teapot' });

let onRun: () => void = () => {};

/** WebAssembly, which resolves in microtasks only: without a pause no timer runs between calls. */
async function watchedRuntime(): Promise<Runtime> {
  const runtime = await createWebRuntime({ threads: 1 });
  return {
    ...runtime,
    async createSession(bytes) {
      const session = await runtime.createSession(bytes);
      return {
        ...session,
        run(feeds) {
          onRun();
          return session.run(feeds);
        },
      };
    },
  };
}

/** Explains until a timer cancels; returns how it ended, and the model calls after that. */
async function explainUntilCancelled(
  model: Awaited<ReturnType<typeof createOnnxModel>>,
  input: Awaited<ReturnType<typeof prepareInput>>,
  name: string,
): Promise<{ end: string; after: number }> {
  const stop = new AbortController();
  let [calls, after] = [0, 0];
  onRun = () => {
    calls += 1;
    if (stop.signal.aborted) after += 1;
    if (calls !== CANCELLED_AFTER) return;
    setTimeout(() => stop.abort(), 0);
    const due = performance.now() + 5;
    while (performance.now() < due); // so that the timer is due when the call is over
  };
  const end = await explain(model, input, {
    method: methods.get(name),
    options: FEW[name],
    target: label,
    batchSize: 1,
    signal: stop.signal,
  }).then(
    () => 'done',
    (error) => String(error.code),
  );
  return { end, after };
}

it('a timer cancels every method before its next model call', async () => {
  const bytes = new Uint8Array(readFileSync(new URL('demo-vit.onnx', folder)));
  const runtime = await watchedRuntime();
  const model = await createOnnxModel({ name: 'demo-vit', bytes, labels, preprocessing }, runtime);
  const input = await prepareInput(model, image);
  const cancelled: string[] = [];
  for (const { name } of methods) {
    const { end, after } = await explainUntilCancelled(model, input, name);
    expect(after, `model calls of ${name} after the timer`).toBe(0);
    expect(['cancelled', 'done', 'unexplained'], name).toContain(end);
    if (end === 'cancelled') cancelled.push(name);
  }
  // the others make two calls at most
  for (const name of [
    'iassa',
    'iassa-2020',
    'iia',
    'rise',
    'sag',
    'oise',
    'integrated-gradients',
    'xrai',
  ])
    expect(cancelled).toContain(name);
}, 240_000);
