import { expect, it } from 'vitest';
import { classNames, tagClass } from '../../demo/classes.ts';
import { createScene } from '../../demo/scenes.ts';
import { loadSprites } from '../../demo/sprites.ts';
import { explain } from '../../explain.ts';
import { loadModel } from '../../node/load-model.ts';
import { prepareInput } from '../../prepare-input.ts';
import { tensor } from '../../tensor/tensor.ts';
import { patchMeans } from './patch-means.ts';
import { layoutOf } from './sag.ts';
import type { Sag } from './schema.ts';

it('shows the sticker in the smallest root of a model that cheats', async () => {
  const model = await loadModel('demo-cnn-biased');
  const sprites = await loadSprites();
  for (let seed = 77_001_000; seed < 77_001_002; seed++) {
    const { image, tag } = createScene(sprites, seed, { className: tagClass, tag: 'always' });
    const prepared = await prepareInput(model, image);
    const target = classNames.indexOf(tagClass);
    const { manifest } = await explain(model, prepared, { method: 'sag', target });
    const sag = manifest.extras.sag as Sag;
    const mask = tensor([224, 224], Float32Array.from(tag?.mask ?? []));
    const coverage = patchMeans(mask, layoutOf(sag));
    const total = coverage.reduce((sum, value) => sum + value, 0);
    const { patches } = sag.nodes[sag.roots[0]];
    const shown = patches.reduce((sum, patch) => sum + coverage[patch], 0);
    expect(shown / total, `scene ${seed}`).toBeGreaterThan(0.4);
    expect(patches.length).toBeLessThanOrEqual(3);
  }
}, 60_000);
