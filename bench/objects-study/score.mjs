// @ts-check
/** Explains one picture with one variant of a method and scores the maps. */
import { existsSync } from 'node:fs';
import { basename, extname, join } from 'node:path';

/** @import { Item, Protocol, Row, Scores, Variant } from './types.mjs' */

/** Picture, input and mask of an item. */
export async function loadSample(
  /** @type {any} */ fovea,
  /** @type {any} */ model,
  /** @type {string} */ dataset,
  /** @type {Item} */ { file, index },
) {
  const picture = await fovea.readImage(join(dataset, 'images', file));
  const mask = await readMask(
    fovea,
    model,
    join(dataset, 'masks', `${basename(file, extname(file))}.png`),
    picture,
  );
  return { index, mask, prepared: await fovea.prepareInput(model, picture) };
}

/** A mask picture at the input size of the model: 1 if the red channel is at least 128. */
async function readMask(
  /** @type {any} */ fovea,
  /** @type {any} */ model,
  /** @type {string} */ path,
  /** @type {any} */ picture,
) {
  if (!existsSync(path)) throw new Error(`its mask ${path} does not exist`);
  const mask = await fovea.readImage(path);
  if (mask.width !== picture.width || mask.height !== picture.height) {
    throw new Error(
      `its mask is ${mask.width}x${mask.height}, the picture ${picture.width}x${picture.height}`,
    );
  }
  return maskAtInput(fovea, model, {
    width: mask.width,
    height: mask.height,
    data: Uint8Array.from({ length: mask.width * mask.height }, (_, i) =>
      mask.data[3 * i] >= 128 ? 1 : 0,
    ),
  });
}

/**
 * A mask at the input size of the model, [H·W], as 0 and 1. Each value comes from the mask's pixel
 * under the centre of an input pixel.
 */
export function maskAtInput(
  /** @type {any} */ fovea,
  /** @type {any} */ model,
  /** @type {{ width: number, height: number, data: Uint8Array }} */ mask,
) {
  const [height, width] = model.preprocessing.size;
  const region = fovea.inputRegion(mask.width, mask.height, model.preprocessing);
  return Uint8Array.from({ length: height * width }, (_, i) => {
    const y = Math.floor(region.top + ((Math.floor(i / width) + 0.5) * region.height) / height);
    const x = Math.floor(region.left + (((i % width) + 0.5) * region.width) / width);
    return mask.data[y * mask.width + x] ? 1 : 0;
  });
}

/** The scores of one map by every metric of the protocol, and the number of activated pixels. */
async function scoreMap(
  /** @type {any} */ fovea,
  /** @type {Protocol} */ protocol,
  /** @type {any} */ context,
) {
  const order = protocol.metrics.some((name) => fovea.metrics.get(name).needs.includes('model'))
    ? fovea.pixelOrder(context.map.data)
    : undefined;
  /** @type {Scores} */
  const scores = {};
  for (const name of protocol.metrics) {
    const metric = fovea.metrics.get(name);
    const options = metric.needs.includes('model')
      ? { step: protocol.step }
      : name === 'pointing-game'
        ? { tolerance: protocol.tolerance }
        : {};
    scores[name] = (await metric.score({ ...context, order, options })).value;
  }
  return { scores, activated: fovea.activatedPixels(context.map.data) };
}

/**
 * Explains one picture with one variant and scores the map. If the variant has a `trace` above 0,
 * every `trace`-th intermediate map is scored too.
 * @returns {Promise<Omit<Row, 'key' | 'image'>>}
 */
export async function study(
  /** @type {any} */ fovea,
  /** @type {any} */ model,
  /** @type {Variant} */ variant,
  /** @type {Protocol} */ protocol,
  /** @type {any} */ sample,
) {
  const { method, options, seed } = variant;
  /** @type {any[]} */
  const partials = [];
  let offers = 0;
  const onMap = (/** @type {any} */ partial) => {
    if (++offers % variant.trace === 0)
      partials.push({
        ...partial,
        map: { shape: partial.map.shape, data: partial.map.data.slice() },
      });
  };
  const explanation = await fovea.explain(model, sample.prepared, {
    method,
    options,
    seed,
    target: sample.index,
    ...(variant.trace > 0 && { onMap }),
  });
  const { map, target, manifest, seconds } = explanation;
  const context = { model, input: sample.prepared.input, target, mask: sample.mask };
  const row = {
    ...(await scoreMap(fovea, protocol, { ...context, map })),
    calls: manifest.modelCalls.forward,
    seconds,
    probability: target.probability,
  };
  if (variant.trace === 0) return row;
  const trace = [];
  for (const { map: partial, calls, detail } of partials)
    trace.push({
      calls,
      detail,
      ...(await scoreMap(fovea, protocol, { ...context, map: partial })),
    });
  return { ...row, trace };
}
