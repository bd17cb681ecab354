import type { FeatureMap, ModelInside } from '../model.ts';
import { activationsOf } from './activations.ts';
import { findFeatureMaps } from './feature-maps.ts';
import { gradientsOf } from './gradients.ts';
import type { PartContext } from './run-part.ts';

/** `Model.inside` of an ONNX model, without `randomized`. */
export function networkInside(context: PartContext): Omit<ModelInside, 'randomized'> {
  const { model, types, input } = context.classifier;
  let maps: readonly FeatureMap[] | undefined;
  return {
    featureMaps() {
      maps ??= findFeatureMaps(model.graph, types, input);
      return maps;
    },
    attentionMaps: () => context.attention.maps().map(({ merged, ...map }) => map),
    async biases() {
      const { findBiases } = await import('./biases.ts');
      return findBiases(model.graph, input.name);
    },
    activations: activationsOf(context),
    gradients: gradientsOf(context),
    async pathIntegral(request) {
      const { pathIntegralOf } = await import('./path-integral.ts');
      return pathIntegralOf(context)(request);
    },
    operators: () => new Set(model.graph.nodes.map(({ opType }) => opType)),
    async weightLayers() {
      const { weightLayersOf } = await import('./weights.ts');
      return weightLayersOf(model.graph).map((layer) => layer.name);
    },
  };
}
