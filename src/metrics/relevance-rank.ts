import * as v from 'valibot';
import { at } from '../tensor/at.ts';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { pixelOrder } from './shared/ranks.ts';

/**
 * Relevance rank accuracy: the share of the K most relevant pixels that lies on the object, 0 … 1.
 * K is the number of pixels of the object B. Higher is better.
 *
 *   rank = |{top K pixels of the map} ∩ B| / K,  K = |B|
 *
 * Equal values are ranked by index. There is no value for a mask without an object. Void pixels are
 * not ranked. Source: Arras, Osman & Samek, CLEVR-XAI, Information Fusion 2022.
 */
export const relevanceRank = defineMetric({
  name: 'relevance-rank',
  title: 'Relevance rank accuracy',
  direction: 'higher',
  range: [0, 1],
  paper:
    'Arras, Osman & Samek, CLEVR-XAI: A Benchmark Dataset for the Ground Truth Evaluation ' +
    'of Neural Network Explanations, Information Fusion 2022',
  needs: ['mask'],
  presets: { 'clevr-xai': {} },
  options: v.object({}),
  measure: (context) => {
    const regions = regionsOf(context);
    const size = regions.reduce((sum, region) => sum + (region === 1 ? 1 : 0), 0);
    const ranked = Array.from(context.order ?? pixelOrder(context.map.data)).filter(
      (pixel) => at(regions, pixel) < 2,
    );
    const hits = ranked.slice(0, size).filter((pixel) => regions[pixel] === 1).length;
    return excludedWithoutObject(context) ?? { value: hits / size };
  },
});
