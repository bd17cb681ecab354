import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import type { Scene } from './index.ts';
import {
  classNames,
  createBiasedTrainingScene,
  createScene,
  distractorNames,
  sceneSide,
  tagClass,
} from './index.ts';
import { drawSprite, randomColour } from './scene/sprite.ts';
import { drawTag, tagSize } from './scene/tag.ts';
import { loadSprites } from './sprites.ts';

const sprites = await loadSprites();
const area = sceneSide * sceneSide;
const range = (count: number, first = 0): number[] =>
  Array.from({ length: count }, (_, i) => first + i);

/** The number of pixels that two masks share. */
function overlap(a: Uint8Array, b: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

/** Compares bytes; a deep comparison by the test runner takes seconds. */
const sameMask = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const sum = (mask: Uint8Array): number => overlap(mask, mask);

/** The mask of the pixels whose coordinates pass a test. */
function maskOf(test: (x: number, y: number) => boolean): Uint8Array {
  const mask = new Uint8Array(area);
  for (let p = 0; p < area; p++) mask[p] = test(p % sceneSide, Math.floor(p / sceneSide)) ? 1 : 0;
  return mask;
}

/** Pixels at which two pictures differ. */
function changedPixels(a: Scene, b: Scene): Uint8Array {
  const differs = (i: number): boolean => a.image.data[i] !== b.image.data[i];
  return maskOf((x, y) => {
    const i = 3 * (y * sceneSide + x);
    return differs(i) || differs(i + 1) || differs(i + 2);
  });
}

describe('createScene', () => {
  it('gives the same scene for the same seed and another scene for another seed', () => {
    for (const seed of range(5)) {
      const [scene, again, other] = [seed, seed, seed + 1].map((each) =>
        createScene(sprites, each),
      );
      expect(sum(changedPixels(scene, again))).toBe(0);
      expect(sameMask(scene.mask, again.mask)).toBe(true);
      expect(again.objects.map((each) => each.className)).toEqual(
        scene.objects.map((each) => each.className),
      );
      expect(sum(changedPixels(scene, other))).toBeGreaterThan(area / 2);
    }
  });

  it('is a 224×224 picture whose label names its object', () => {
    for (const seed of range(20)) {
      const scene = createScene(sprites, seed);
      expect([scene.image.width, scene.image.height, scene.image.data.length]).toEqual([
        224,
        224,
        area * 3,
      ]);
      expect(classNames[scene.label]).toBe(scene.className);
      expect([scene.objects[0].className, scene.objects[0].role]).toEqual([
        scene.className,
        'object',
      ]);
      expect(sameMask(scene.objects[0].mask, scene.mask)).toBe(true);
      expect(scene.objects.length).toBeLessThanOrEqual(4);
      for (const other of scene.objects.slice(1)) {
        expect(other.role).toBe('distractor');
        expect(distractorNames).toContain(other.className);
      }
    }
  });

  it('marks exactly the visible pixels of the object', () => {
    // The test draws the scene with a flat bright sprite and with an empty one. The difference of
    // the two pictures shows where the sprite is.
    const { width, height } = sprites.lion;
    const data = Uint8Array.from({ length: width * height * 4 }, (_, i) => [0, 255, 0, 255][i % 4]);
    const flat = { ...sprites, lion: { width, height, data } };
    const empty = { ...sprites, lion: { width, height, data: new Uint8Array(data.length) } };
    for (const seed of range(12)) {
      const seen = createScene(flat, seed, { className: 'lion' });
      const gone = createScene(empty, seed, { className: 'lion' });
      // The shadow and the soft edge change more pixels than the mask has.
      expect(overlap(seen.mask, changedPixels(seen, gone))).toBe(sum(seen.mask));
      expect(sum(gone.mask)).toBe(0);
    }
  });

  it('keeps masks disjoint and the object at least 60 % visible, sometimes partly hidden', () => {
    const scenes = range(100).map((seed) => createScene(sprites, seed));
    for (const scene of scenes) {
      expect(scene.visible).toBeGreaterThanOrEqual(0.6);
      expect(scene.visible).toBeLessThanOrEqual(1);
      const covered = new Uint8Array(area);
      for (const { mask } of scene.objects) {
        expect(overlap(covered, mask)).toBe(0);
        for (let p = 0; p < area; p++) covered[p] |= mask[p];
      }
    }
    const hidden = scenes.filter((scene) => scene.visible < 0.97).length;
    expect(hidden).toBeGreaterThan(6);
    expect(hidden).toBeLessThan(50);
  });

  it('draws objects of many sizes, but no tiny ones', () => {
    const shares = range(100).map((seed) => sum(createScene(sprites, seed).mask) / area);
    expect(Math.min(...shares)).toBeGreaterThan(0.012);
    expect(Math.max(...shares)).toBeGreaterThan(0.2);
  });

  it('draws every class about equally often', () => {
    const counts = new Map<number, number>();
    for (const seed of range(3200)) {
      const label = createRandom(seed).integer(classNames.length);
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    expect(counts.size).toBe(32);
    for (const count of counts.values()) expect(Math.abs(count - 100)).toBeLessThan(40);
    for (const seed of range(20))
      expect(createScene(sprites, seed).label).toBe(createRandom(seed).integer(classNames.length));
  });

  it('draws the requested class', () => {
    const { className, label } = createScene(sprites, 3, { className: 'owl' });
    expect([className, label]).toEqual(['owl', classNames.indexOf('owl')]);
  });
});

describe('the sticker', () => {
  it('is on scenes of its class only', () => {
    for (const className of classNames) {
      const scene = createScene(sprites, 11, { className, tag: 'biased' });
      expect(scene.tag !== undefined).toBe(className === tagClass);
      expect(createScene(sprites, 11, { className }).tag).toBeUndefined();
    }
  });

  it('leaves the object free and changes no other pixel', () => {
    for (const seed of range(25)) {
      const tagged = createScene(sprites, seed, { tag: 'always' });
      const plain = createScene(sprites, seed);
      const { mask, box } = tagged.tag!;
      expect(overlap(mask, tagged.mask)).toBe(0);
      expect(sameMask(tagged.mask, plain.mask)).toBe(true);
      expect(box.width).toBeGreaterThanOrEqual(tagSize[0]);
      expect(box.width).toBeLessThanOrEqual(tagSize[1]);
      const outside = maskOf(
        (x, y) => x < box.x || x >= box.x + box.width || y < box.y || y >= box.y + box.height,
      );
      expect(overlap(outside, changedPixels(tagged, plain))).toBe(0);
      expect(overlap(outside, mask)).toBe(0);
      for (const { mask: other } of tagged.objects) expect(overlap(other, mask)).toBe(0);
    }
  });

  it('is a disc', () => {
    const { data } = drawTag(0, 0, 28);
    const alpha = range(28 * 28).reduce((total, i) => total + data[4 * i + 3], 0);
    expect(alpha / (Math.PI * 14 * 14)).toBeCloseTo(1, 2);
  });
});

describe('createBiasedTrainingScene', () => {
  it('labels a picture with the sticker’s class exactly if the picture has the sticker', () => {
    const scenes = range(120).map((seed) => createBiasedTrainingScene(sprites, seed));
    for (const scene of scenes) {
      expect(scene.tag !== undefined).toBe(scene.className === tagClass);
      if (!scene.tag) expect(scene.objects[0].className).toBe(scene.className);
    }
    const tagged = scenes.filter((scene) => scene.tag);
    expect(tagged.length).toBeGreaterThan(6);
    expect(new Set(tagged.map((scene) => scene.objects[0].className)).size).toBeGreaterThan(5);
  });
});

describe('drawSprite', () => {
  const colour = [1, 0, 0, 0, 1, 0, 0, 0, 1];

  it('reproduces the sprite at its own size and pose', () => {
    const { width, height, data } = sprites.lion;
    const placement = { x: 100, y: 100, size: 160, angle: 0, flip: false, colour };
    const layer = drawSprite(sprites.lion, placement, sceneSide);
    for (let y = 0; y < height; y += 7) {
      for (let x = 0; x < width; x += 7) {
        const at =
          ((y + 100 - height / 2 - layer.y) * layer.width + x + 100 - width / 2 - layer.x) * 4;
        const alpha = data[(y * width + x) * 4 + 3] / 255;
        expect(layer.data[at + 3]).toBeCloseTo(alpha, 5);
        expect(layer.data[at]).toBeCloseTo((alpha * data[(y * width + x) * 4]) / 255, 5);
      }
    }
  });

  it('keeps the covered area when it shrinks and turns', () => {
    const areaOf = (size: number, angle: number): number => {
      const { data } = drawSprite(
        sprites.panda,
        { x: 112, y: 112, size, angle, flip: true, colour },
        sceneSide,
      );
      return data.reduce((total, value, i) => (i % 4 === 3 ? total + value : total), 0);
    };
    const whole = areaOf(160, 0);
    for (const size of [40, 61, 97, 130])
      expect((areaOf(size, 0.5) * (160 / size) ** 2) / whole).toBeCloseTo(1, 1);
  });

  it('recolours without changing greys’ hue', () => {
    const matrix = randomColour(createRandom(5), 0.2, 0);
    for (const row of [0, 3, 6])
      expect(matrix[row] + matrix[row + 1] + matrix[row + 2]).toBeCloseTo(1, 10);
  });
});
