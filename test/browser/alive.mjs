// @ts-check
// Explains on a page or in a worker of it, and counts what else ran meanwhile.

import 'fovea/methods';
import { createOnnxModel, createWebRuntime, explain, preprocess, readImage } from 'fovea/web';

/** @typedef {import('fovea/web').Runtime} Runtime */

/** Milliseconds between two ticks. */
const PERIOD = 5;
/** Milliseconds of a model call within which the timer is due for certain. */
const LONG = 30;

/** What happened during an explanation. */
const seen = { ticks: 0, runs: 0, starved: 0 };
/** @type {(() => void) | undefined} */
let onRun;

/** A runtime that notes each model call, and whether the timer ticked since the one before. */
function watched(/** @type {Runtime} */ runtime) {
  let ticksBefore = -1;
  let streak = 0;
  return {
    ...runtime,
    async createSession(/** @type {Uint8Array} */ bytes) {
      const session = await runtime.createSession(bytes);
      return {
        ...session,
        /** @type {typeof session.run} */
        async run(feeds) {
          streak = ticksBefore === seen.ticks ? streak + 1 : 0;
          seen.starved = Math.max(seen.starved, streak);
          seen.runs += 1;
          onRun?.();
          const started = performance.now();
          const outputs = await session.run(feeds);
          // A shorter call may end before the timer is due: browsers round times up.
          ticksBefore = performance.now() - started > LONG ? seen.ticks : -1;
          return outputs;
        },
      };
    },
  };
}

/** @type {import('fovea/web').Model | undefined} */
let model;
/** @type {import('fovea/web').Tensor | undefined} */
let input;
let controller = new AbortController();

const calls = {
  async load() {
    const folder = '/dist/demo/models';
    const bytes = new Uint8Array(await (await fetch(`${folder}/demo-cnn.onnx`)).arrayBuffer());
    const { labels, preprocessing } = await (await fetch(`${folder}/demo-cnn.json`)).json();
    const runtime = watched(await createWebRuntime({ threads: 1 }));
    model = await createOnnxModel({ name: 'demo-cnn', bytes, labels, preprocessing }, runtime);
    input = preprocess(await readImage('/scene.png'), model.preprocessing);
  },

  /** Explains; `abortAfter`: the model call after which somebody cancels. */
  async explain(
    /** @type {import('fovea/web').ExplainOptions} */ options,
    /** @type {number | undefined} */ abortAfter,
  ) {
    if (!model || !input) throw new Error('load first');
    Object.assign(seen, { ticks: 0, runs: 0, starved: 0 });
    controller = new AbortController();
    /** @type {number | undefined} */
    let runsAtAbort;
    controller.signal.addEventListener('abort', () => {
      runsAtAbort = seen.runs;
    });
    onRun = () => {
      if (seen.runs === abortAfter) cancelSoon();
    };
    const timer = setInterval(() => {
      seen.ticks += 1;
    }, PERIOD);
    const { signal } = controller;
    const end = await explain(model, input, { ...options, signal }).then(
      () => 'done',
      (error) => `${error.code}`,
    );
    clearInterval(timer);
    return { end, ...seen, runsAtAbort };
  },

  async cancel() {
    controller.abort();
  },
};

/** On a page a timer cancels; in a worker the page does, by a message. */
function cancelSoon() {
  if (globalThis.document) setTimeout(calls.cancel, 0);
  else postMessage({ cancel: true });
}

if (!globalThis.document) {
  addEventListener('message', async ({ data: { id, name, args } }) => {
    // @ts-expect-error: the test names the call
    const answer = calls[name](...args);
    postMessage({
      id,
      ...(await answer.then(
        (/** @type {unknown} */ result) => ({ result }),
        (/** @type {unknown} */ error) => ({ error: String(error) }),
      )),
    });
  });
}
Object.assign(globalThis, { calls });
