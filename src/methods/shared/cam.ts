import * as v from 'valibot';
import { option } from '../../options.ts';
import { at } from '../../tensor/at.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Attribution, LayerMap, MethodContext } from '../method.ts';
import { channelsFirst, isUniform, meanOfMaps } from './channel-maps.ts';
import { gradientsOf, outputOption, repeat } from './gradients.ts';
import { chooseLayers, layerOption, layoutOf, withLayers } from './layers.ts';

/** Options that all class activation maps share. */
export const camOptions = {
  layer: layerOption,
  output: outputOption,
  relu: option(
    v.boolean(),
    false,
    'whether negative values, evidence against the class, are set to zero, as in the paper',
  ),
};

/** The values of `camOptions`. */
export interface CamOptions {
  readonly layer: string | string[];
  readonly output: 'logit' | 'probability';
  readonly relu: boolean;
}

/**
 * Computes a map [h, w] from activations and gradients [channels, h, w] of one layer. Sums must use
 * double precision.
 */
export type Weigh = (activations: Tensor, gradients: Tensor) => Tensor;

/** max(x, 0) */
const positive = (x: Tensor): Tensor =>
  tensor(
    x.shape,
    x.data.map((value) => Math.max(0, value)),
  );

/**
 * The attribution of the maps of one or several layers. With `relu`, negative values become 0. Maps
 * are upsampled to [height, width] with half-pixel centers. Several layers differ in scale, so each
 * is divided by its largest magnitude, and the result is their mean.
 */
export function fromLayers(
  layers: readonly LayerMap[],
  relu: boolean,
  height: number,
  width: number,
  extras: Attribution['extras'] = {},
  mode: 'bilinear' | 'bicubic' = 'bilinear',
): Attribution {
  const maps = layers.map(({ map }) => (relu ? positive(map) : map));
  const map = meanOfMaps(maps, height, width, mode);
  const shapes = layers.map(({ layer, map: { shape } }) => ({
    layer,
    height: at(shape, 0),
    width: at(shape, 1),
  }));
  return { map, ...(relu && { signed: false }), layers, extras: { layers: shapes, ...extras } };
}

/**
 * The warning for methods whose map equals the map of Grad-CAM if the gradients of all layers are
 * uniform. Gradients are uniform before global average pooling and one dense layer.
 */
export const warnIfGradCam = (gradients: readonly Tensor[]): string[] =>
  gradients.every(isUniform)
    ? [
        'the gradient is the same in all cells of the layer, so this map equals the map of ' +
          'grad-cam: choose an earlier layer to see a difference',
      ]
    : [];

/** The warning of LayerCAM if the gradients of all layers are uniform. */
export const warnIfPositiveGradCam = (gradients: readonly Tensor[]): string[] =>
  gradients.every(isUniform)
    ? [
        'the gradient is the same in all cells of the layer, so this map equals the map of ' +
          'grad-cam without its negative weights: choose an earlier layer to see a difference',
      ]
    : [];

/**
 * Computes a class activation map: one forward and one backward pass per class, then `weigh` for
 * each layer. `warn` gets the gradients of all layers, [channels, h, w] each, and returns warnings.
 */
export async function explainCam(
  { model, input, targets, options, batchSize, progress }: MethodContext<CamOptions>,
  weigh: Weigh,
  warn: (gradients: readonly Tensor[]) => string[] = () => [],
): Promise<Attribution[]> {
  const [, , height = 0, width = 0] = input.shape;
  const names = chooseLayers(model, options.layer);
  const classes = targets.map((target) => target.index);
  const { values, gradients } = await withLayers(model, names, () =>
    gradientsOf(model, {
      batch: repeat(input, classes.length),
      wrt: names,
      targets: classes,
      score: options.output,
      batchSize,
    }),
  );
  const layouts = names.map((name, l) => layoutOf(model, name, at(values, l), input));
  progress(1);
  return targets.map((_, t) => {
    const own = gradients.map((gradient, l) => channelsFirst(gradient, t, at(layouts, l)));
    const layers = names.map((layer, l) => ({
      layer,
      map: weigh(channelsFirst(at(values, l), t, at(layouts, l)), at(own, l)),
    }));
    return { ...fromLayers(layers, options.relu, height, width), warnings: warn(own) };
  });
}
