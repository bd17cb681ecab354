import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import { inputRegion, preprocess } from '../../model/input/preprocessing.ts';
import type { FeatureMap, Model } from '../../model/model.ts';
import { number, option } from '../../options.ts';
import type { MethodContext } from '../method.ts';
import { type Attention, createAttention } from './attention.ts';

/** The options that choose the features of the attention. */
export const attentionOptions = {
  features: option(
    v.pipe(v.string(), v.minLength(1)),
    'model',
    'which features the attention compares: "model" (those of the explained model), "none" ' +
      '(no attention, for a black box), or the name of another ONNX model',
  ),
  layers: option(
    v.array(v.string()),
    [],
    'feature maps for the attention, by tensor name; if the list is empty: the last map at ' +
      'each of the four coarsest resolutions of at most 28 x 28',
  ),
  temperature: option(
    v.pipe(number, v.gtValue(0)),
    0.15,
    'cosine similarities are divided by this before the softmax',
  ),
};

const schema = v.object(attentionOptions);
type Context = MethodContext<v.InferOutput<typeof schema>>;

/** The feature maps that the option `layers` names; undefined if it names none. */
function chosenLayers(
  method: string,
  model: Model,
  names: readonly string[],
): FeatureMap[] | undefined {
  if (names.length === 0) return undefined;
  const maps = model.inside?.featureMaps() ?? [];
  return names.map((name) => {
    const found = maps.find((map) => map.name === name);
    if (found) return found;
    const known = maps.map((map) => map.name).join(', ') || 'none';
    throw new FoveaError(
      'usage',
      `${method}.layers: "${name}" is not a feature map of ${model.name}: expected some of ${known}`,
    );
  });
}

/** @throws FoveaError `usage` if the crops of two models differ by more than one pixel. */
function checkSameCrop(
  method: string,
  model: Model,
  other: Model,
  width: number,
  height: number,
): void {
  const own = inputRegion(width, height, model.preprocessing);
  const compared = inputRegion(width, height, other.preprocessing);
  const sides = ['left', 'top', 'width', 'height'] as const;
  if (sides.every((side) => Math.abs(own[side] - compared[side]) <= 1)) return;
  throw new FoveaError(
    'usage',
    `${method}.features: ${other.name} and ${model.name} crop the picture differently: ` +
      `preprocess both with the same crop`,
  );
}

/** The attention over the features of a second model, which the option `features` names. */
async function attentionOfOther(method: string, context: Context): Promise<Attention> {
  const { model, image, options, loadModel } = context;
  if (!image)
    throw new FoveaError(
      'usage',
      `${method}.features: a second model needs the picture itself: pass an image instead of a ` +
        'preprocessed tensor',
    );
  const other = await loadModel(options.features);
  checkSameCrop(method, model, other, image.width, image.height);
  const input = preprocess(image, other.preprocessing);
  const layers = chosenLayers(method, other, options.layers);
  const attention = await createAttention(other, input, options.temperature, layers);
  if (attention) return attention;
  throw new FoveaError(
    'usage',
    `${method}.features: ${other.name} has no feature maps: name an ONNX model that has some`,
  );
}

/**
 * The attention that the options of `method` choose. Returns undefined if it is not `wanted`, if
 * the options turn it off, or if the model itself has no usable feature maps.
 * @throws FoveaError `usage` if a layer or the second model cannot be used.
 */
export async function chooseAttention(
  method: string,
  context: Context,
  wanted = true,
): Promise<Attention | undefined> {
  const { model, input, options } = context;
  const { features, layers, temperature } = options;
  if (features === 'none' || !wanted) return undefined;
  if (features !== 'model') return attentionOfOther(method, context);
  return createAttention(model, input, temperature, chosenLayers(method, model, layers));
}
