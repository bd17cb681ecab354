import * as v from 'valibot';
import { createScene, type Scene, sceneSide } from '../demo/scenes.ts';
import { loadSprites } from '../demo/sprites.ts';
import { integer, option } from '../options.ts';
import { type Box, createDataset, defineReader } from './dataset.ts';

/** Seeds of these scenes start here. Neither the training nor the demo uses them. */
const FIRST_SEED = 1_000_000_000;

/**
 * The smallest rectangle around the pixels of the mask of a scene; no rectangle if the mask is
 * empty.
 */
function boxesOf({ mask }: Scene): Box[] {
  const pixels = [...mask.keys()].filter((i) => mask[i] !== 0);
  if (pixels.length === 0) return [];
  const [ys, xs] = [pixels.map((i) => Math.floor(i / sceneSide)), pixels.map((i) => i % sceneSide)];
  const [left, top] = [xs.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.min(a, b))];
  return [
    {
      left,
      top,
      width: xs.reduce((a, b) => Math.max(a, b)) - left + 1,
      height: ys.reduce((a, b) => Math.max(a, b)) - top + 1,
    },
  ];
}

/** Generates any number of scenes of toy objects, each with its own seed and an exact mask. */
export const demoScenes = defineReader({
  name: 'demo-scenes',
  title: 'endless composed scenes with exact masks',
  path: 'nothing: scenes are made',
  pathless: true,
  options: v.object({
    seed: option(
      v.pipe(integer, v.minValue(0), v.maxValue(1000)),
      0,
      'seed of the endless series of scenes',
    ),
  }),

  async open(_path, { seed }) {
    const sprites = await loadSprites();
    const first = FIRST_SEED + seed * 1_000_000;
    return createDataset({
      name: `demo-scenes (seed ${seed})`,
      length: Number.POSITIVE_INFINITY,
      provides: ['label', 'mask', 'boxes'],
      protocol: ['Mask: the visible pixels of the object, which are known exactly.'],
      problems: [],
      idOf: (i) => `scene-${seed}-${i}`,
      async read(i) {
        const scene = createScene(sprites, first + i);
        return {
          id: `scene-${seed}-${i}`,
          image: scene.image,
          label: { name: scene.className },
          mask: { width: sceneSide, height: sceneSide, data: scene.mask },
          boxes: boxesOf(scene),
        };
      },
    });
  },
});
