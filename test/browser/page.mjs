// @ts-check
// The page's own code, run by Chromium from the files as they are installed.

import 'fovea/methods';
import 'fovea/web/demo-models';
import {
  createWebRuntime,
  drawOverlay,
  explain,
  fitImage,
  inputRegion,
  loadModel,
  preprocess,
  readImage,
  VERSION,
} from 'fovea/web';

/** @typedef {import('fovea/web').Image} Image */

/** A canvas that is alone on the page. */
function freshCanvas() {
  const canvas = document.createElement('canvas');
  canvas.style.display = 'block';
  document.body.replaceChildren(canvas);
  return canvas;
}

/** The picture at an address in each form that a page may have it in. */
async function forms(/** @type {string} */ address) {
  const element = new globalThis.Image();
  element.src = address;
  await element.decode();
  const blob = await (await fetch(address)).blob();
  const bitmap = await createImageBitmap(blob);
  const offscreen = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = offscreen.getContext('2d');
  context?.drawImage(bitmap, 0, 0);
  const data = context?.getImageData(0, 0, bitmap.width, bitmap.height);
  return { element, blob, bitmap, offscreen, data, address, read: await readImage(address) };
}

/** @type {import('fovea/web').Model | undefined} */
let model;

/** What the test calls. */
const calls = {
  about: () => ({
    version: VERSION,
    isolated: crossOriginIsolated,
    exports: [createWebRuntime, fitImage, inputRegion].every(Boolean),
  }),

  async load() {
    /** @type {number[]} */
    const shares = [];
    model = await loadModel('demo-cnn', { threads: 2, onProgress: (share) => shares.push(share) });
    return {
      name: model.name,
      labels: model.labels,
      runtime: model.runtime,
      fingerprint: model.fingerprint,
      warnings: model.warnings,
      loaded: shares.at(-1),
    };
  },

  read(/** @type {string} */ address) {
    return readImage(address);
  },

  async pixels(/** @type {string} */ address) {
    if (!model) throw new Error('load first');
    return preprocess(await readImage(address), model.preprocessing).data;
  },

  async explain(
    /** @type {string} */ address,
    /** @type {import('fovea/web').ExplainOptions} */ options,
  ) {
    if (!model) throw new Error('load first');
    const picture = await readImage(address);
    const { map, target, manifest } = await explain(model, picture, options);
    return { map: map.data, target, calls: manifest.modelCalls.forward };
  },

  /** Explains an element and draws the result; as base64 what an OffscreenCanvas got. */
  async draw(
    /** @type {string} */ address,
    /** @type {import('fovea/web').ExplainOptions} */ options,
  ) {
    if (!model) throw new Error('load first');
    const { element } = await forms(address);
    const explanation = await explain(model, element, options);
    await drawOverlay(freshCanvas(), element, explanation);
    const offscreen = new OffscreenCanvas(1, 1);
    await drawOverlay(offscreen, await readImage(address), explanation);
    const { data } = await readImage(offscreen);
    return { data, map: explanation.map.data, signed: explanation.signed };
  },

  /** The largest map value for a picture in each form. */
  async explainForms(/** @type {string} */ address) {
    const results = [];
    for (const [name, form] of Object.entries(await forms(address))) {
      if (!model || !form) throw new Error('load first');
      const { map } = await explain(model, form, { method: 'grad-cam' });
      results.push([name, map.data.reduce((a, b) => Math.max(a, b))]);
    }
    return Object.fromEntries(results);
  },

  /** What `explain` says of something that is no picture. */
  async refusal() {
    if (!model) throw new Error('load first');
    // @ts-expect-error: not a picture
    return explain(model, document.body, { method: 'grad-cam' }).catch(String);
  },

  /** The message of a failure, as a caller sees it. */
  async failure(/** @type {string} */ address) {
    return readImage(address).then(
      () => 'no error',
      (error) => `${error.name} ${error.code}: ${error.message}`,
    );
  },

  async dispose() {
    await model?.dispose();
  },
};

Object.assign(globalThis, { calls });
