import { FoveaError } from '../../errors.ts';
import { inputRegion, preprocess } from '../../model/input/preprocessing.ts';
import type { FeatureMap, Model } from '../../model/model.ts';
import type { MethodContext } from '../method.ts';
import { type Attention, createAttention } from './attention.ts';

/** The options of IASSA that choose the features of the attention. */
interface AttentionOptions {
  readonly features: string;
  readonly layers: readonly string[];
  readonly temperature: number;
  readonly beta: number;
}

type Context = MethodContext<AttentionOptions>;

/** The feature maps that the option `layers` names; undefined if it names none. */
function chosenLayers(model: Model, names: readonly string[]): FeatureMap[] | undefined {
  if (names.length === 0) return undefined;
  const maps = model.inside?.featureMaps() ?? [];
  return names.map((name) => {
    const found = maps.find((map) => map.name === name);
    if (found) return found;
    const known = maps.map((map) => map.name).join(', ') || 'none';
    throw new FoveaError(
      'usage',
      `iassa.layers: "${name}" is not a feature map of ${model.name}: expected some of ${known}`,
    );
  });
}

/** @throws FoveaError `usage` if the crops of two models differ by more than one pixel. */
function checkSameCrop(model: Model, other: Model, width: number, height: number): void {
  const own = inputRegion(width, height, model.preprocessing);
  const compared = inputRegion(width, height, other.preprocessing);
  const sides = ['left', 'top', 'width', 'height'] as const;
  if (sides.every((side) => Math.abs(own[side] - compared[side]) <= 1)) return;
  throw new FoveaError(
    'usage',
    `iassa.features: ${other.name} and ${model.name} crop the picture differently: ` +
      `preprocess both with the same crop`,
  );
}

/** The attention over the features of a second model, which the option `features` names. */
async function attentionOfOther(context: Context): Promise<Attention> {
  const { model, image, options, loadModel } = context;
  if (!image)
    throw new FoveaError(
      'usage',
      'iassa.features: a second model needs the picture itself: pass an image instead of a ' +
        'preprocessed tensor',
    );
  const other = await loadModel(options.features);
  checkSameCrop(model, other, image.width, image.height);
  const input = preprocess(image, other.preprocessing);
  const layers = chosenLayers(other, options.layers);
  const attention = await createAttention(other, input, options.temperature, layers);
  if (attention) return attention;
  throw new FoveaError(
    'usage',
    `iassa.features: ${other.name} has no feature maps: name an ONNX model that has some`,
  );
}

/**
 * The attention that the options choose; undefined if they turn it off, or if the model itself has
 * no usable feature maps.
 * @throws FoveaError `usage` if a layer or the second model cannot be used.
 */
export async function chooseAttention(context: Context): Promise<Attention | undefined> {
  const { model, input, options } = context;
  const { features, layers, temperature, beta } = options;
  if (features === 'none' || beta === 1) return undefined;
  if (features !== 'model') return attentionOfOther(context);
  return createAttention(model, input, temperature, chosenLayers(model, layers));
}
