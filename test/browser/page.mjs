// @ts-check
// The page's own code, run by Chromium from the files as they are installed.

import 'fovea/methods';
import { overlay } from 'fovea/visualize';
import {
  createWebRuntime,
  explain,
  fitImage,
  inputRegion,
  loadModel,
  preprocess,
  readImage,
  VERSION,
} from 'fovea/web';

/** @typedef {import('fovea/web').Image} Image */

/** Puts a picture on the page, unscaled. */
function draw(/** @type {Image} */ { width, height, data }) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  canvas.style.display = 'block';
  document.body.replaceChildren(canvas);
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++)
    pixels.data.set([data[3 * i], data[3 * i + 1], data[3 * i + 2], 255], 4 * i);
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
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
    draw(
      overlay(picture, map, {
        region: inputRegion(picture.width, picture.height, model.preprocessing),
      }),
    );
    return { map: map.data, target, calls: manifest.modelCalls.forward };
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
