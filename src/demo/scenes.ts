import type { Image } from '../image/image.ts';
import { image } from '../image/image.ts';
import type { Random } from '../tensor/random.ts';
import { createRandom } from '../tensor/random.ts';
import type { ClassName, DistractorName } from './classes.ts';
import { classNames, distractorNames, tagClass } from './classes.ts';
import { paintBackground } from './scene/background.ts';
import type { Layer, Placement, Sprite } from './scene/sprite.ts';
import { drawShadow, drawSprite, halfExtent, randomColour } from './scene/sprite.ts';
import type { Box } from './scene/tag.ts';
import { drawTag, placeTag } from './scene/tag.ts';

/** Width and height of a scene in pixels. */
export const sceneSide = 224;

/** The decoded sprites by name. */
export type Sprites = Readonly<Record<ClassName | DistractorName, Sprite>>;

/** An object in a scene and its visible pixels. */
export interface SceneObject {
  readonly className: ClassName | DistractorName;
  /** 1 if the object is visible with an alpha above one half, else 0. */
  readonly mask: Uint8Array;
  readonly role: 'object' | 'distractor';
}

/** The supplier's sticker in a scene. */
export interface SceneTag {
  readonly mask: Uint8Array;
  readonly box: Box;
}

/** A picture with its truth. */
export interface Scene {
  readonly image: Image;
  /** The labelled class, as an index into `classNames`. */
  readonly label: number;
  readonly className: ClassName;
  /** The visible pixels of the object. */
  readonly mask: Uint8Array;
  /** Share of the object's pixels that no distractor hides. */
  readonly visible: number;
  /** The object first, then the distractors. */
  readonly objects: readonly SceneObject[];
  readonly tag?: SceneTag;
}

/** Options of `createScene`. */
export interface SceneOptions {
  /** The object's class. Default: drawn uniformly with the seed. */
  readonly className?: ClassName;
  /**
   * `biased`: the sticker is on scenes of `tagClass` and on no others. `always`: on every scene.
   */
  readonly tag?: 'none' | 'biased' | 'always';
}

/** An object never loses more than this share of its pixels to a distractor. */
const MOST_HIDDEN = 0.4;

const between = (random: Random, low: number, high: number): number =>
  low + (high - low) * random.uniform();

/** The picture drawn so far, and the owner of each pixel (-1: the background). */
interface Canvas {
  readonly pixels: Float32Array;
  readonly owner: Int8Array;
}

/**
 * Draws a layer over the canvas. `owner` becomes the owner of pixels with an alpha above one half.
 */
function compose({ pixels, owner: owners }: Canvas, layer: Layer, owner?: number): void {
  const { data } = layer;
  for (let row = 0; row < layer.height; row++) {
    let pixel = (layer.y + row) * sceneSide + layer.x;
    for (let at = row * layer.width * 4; at < (row + 1) * layer.width * 4; at += 4, pixel++) {
      const alpha = data[at + 3];
      if (alpha === 0) continue;
      for (let c = 0; c < 3; c++)
        pixels[pixel * 3 + c] = pixels[pixel * 3 + c] * (1 - alpha) + data[at + c];
      if (owner !== undefined && alpha > 0.5) owners[pixel] = owner;
    }
  }
}

/** The mask of the pixels where a layer has an alpha above one half. */
function solidMask(layer: Layer): Uint8Array {
  const mask = new Uint8Array(sceneSide * sceneSide);
  for (let row = 0; row < layer.height; row++) {
    const start = (layer.y + row) * sceneSide + layer.x;
    for (let column = 0; column < layer.width; column++) {
      if (layer.data[(row * layer.width + column) * 4 + 3] > 0.5) mask[start + column] = 1;
    }
  }
  return mask;
}

/** The visible pixels of each of the first `howMany` owners. */
function masksOf(canvas: Canvas, howMany: number): Uint8Array[] {
  const masks = Array.from({ length: howMany }, () => new Uint8Array(sceneSide * sceneSide));
  for (let pixel = 0; pixel < canvas.owner.length; pixel++) {
    const owner = canvas.owner[pixel];
    if (owner >= 0 && owner < howMany) masks[owner][pixel] = 1;
  }
  return masks;
}

function count(mask: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < mask.length; i++) sum += mask[i];
  return sum;
}

/** A random pose whose whole box lies inside the scene. */
function placeInside(random: Random, sprite: Sprite, size: number, maxAngle: number): Placement {
  const angle = between(random, -maxAngle, maxAngle);
  const half = halfExtent(sprite, size, angle);
  return {
    x: between(random, half.x + 1, sceneSide - half.x - 1),
    y: between(random, half.y + 1, sceneSide - half.y - 1),
    size,
    angle,
    flip: random.uniform() < 0.5,
    colour: randomColour(random),
  };
}

interface Drawn {
  readonly name: ClassName | DistractorName;
  readonly placement: Placement;
  readonly layer: Layer;
}

function drawObject(random: Random, sprites: Sprites, name: ClassName): Drawn {
  const size = sceneSide * between(random, 0.25, 0.6);
  const placement = placeInside(random, sprites[name], size, 0.61);
  return { name, placement, layer: drawSprite(sprites[name], placement, sceneSide) };
}

function drawDistractor(random: Random, sprites: Sprites): Drawn {
  const name = distractorNames[random.integer(distractorNames.length)];
  const size = sceneSide * between(random, 0.14, 0.32);
  const placement = placeInside(random, sprites[name], size, 0.8);
  return { name, placement, layer: drawSprite(sprites[name], placement, sceneSide) };
}

/** The share of the `total` pixels of `mask` that a layer hides. */
function hiddenShare(mask: Uint8Array, total: number, layer: Layer): number {
  const front = solidMask(layer);
  let hidden = 0;
  for (let i = 0; i < mask.length; i++) hidden += mask[i] & front[i];
  return hidden / total;
}

/**
 * Moves a distractor over the object's edge, further out until enough of the object stays visible.
 */
function drawOccluder(random: Random, sprites: Sprites, object: Drawn): Drawn | undefined {
  const mask = solidMask(object.layer);
  const total = count(mask);
  const { name, placement } = drawDistractor(random, sprites);
  const direction = between(random, 0, 2 * Math.PI);
  for (let distance = 0.25; distance < 0.8; distance += 0.09) {
    const x = object.placement.x + Math.cos(direction) * distance * object.placement.size;
    const y = object.placement.y + Math.sin(direction) * distance * object.placement.size;
    const moved = { ...placement, x, y };
    const layer = drawSprite(sprites[name], moved, sceneSide);
    const hidden = hiddenShare(mask, total, layer);
    if (hidden === 0) return undefined;
    if (hidden <= MOST_HIDDEN) return { name, placement: moved, layer };
  }
  return undefined;
}

/** Draws 0–3 distractors: most behind the object, sometimes the last one in front of it. */
function drawDistractors(
  random: Random,
  sprites: Sprites,
  object: Drawn,
): { behind: Drawn[]; front: Drawn[] } {
  const howMany = random.integer(4);
  const occluder =
    howMany > 0 && random.uniform() < 0.35 ? drawOccluder(random, sprites, object) : undefined;
  const behind = Array.from({ length: occluder ? howMany - 1 : howMany }, () =>
    drawDistractor(random, sprites),
  );
  return { behind, front: occluder ? [occluder] : [] };
}

function toImage(pixels: Float32Array): Image {
  const bytes = new Uint8ClampedArray(pixels.length); // rounds and clamps when it stores
  for (let i = 0; i < pixels.length; i++) bytes[i] = 255 * pixels[i];
  return image(sceneSide, sceneSide, new Uint8Array(bytes.buffer));
}

/** Puts the sticker on a finished canvas, beside the object. */
function addTag(random: Random, canvas: Canvas, objectMask: Uint8Array): SceneTag {
  const box = placeTag(random, objectMask, sceneSide);
  const layer = drawTag(box.x, box.y, box.width);
  compose(canvas, layer, 127);
  return { mask: solidMask(layer), box };
}

/**
 * Draws the scene of a seed: a background, one object of a class, distractors, and the sticker if
 * requested. The same seed and options give the same bytes; the sticker changes no other pixel.
 */
export function createScene(sprites: Sprites, seed: number, options: SceneOptions = {}): Scene {
  const random = createRandom(seed);
  const drawnName = classNames[random.integer(classNames.length)];
  const className = options.className ?? drawnName;
  const canvas: Canvas = {
    pixels: paintBackground(random.fork('background'), sceneSide),
    owner: new Int8Array(sceneSide * sceneSide).fill(-1),
  };
  const object = drawObject(random.fork('object'), sprites, className);
  const { behind, front } = drawDistractors(random.fork('distractors'), sprites, object);
  const order = [...behind, object, ...front];
  const shadow = between(random, 0.25, 0.55);
  order.forEach((drawn, index) => {
    compose(canvas, drawShadow(sprites[drawn.name], drawn.placement, shadow, sceneSide));
    compose(canvas, drawn.layer, index);
  });
  const mask = masksOf(canvas, order.length)[behind.length];
  const tagged = options.tag === 'always' || (options.tag === 'biased' && className === tagClass);
  const tag = tagged ? addTag(random.fork('tag'), canvas, mask) : undefined;
  // Computed again, because the sticker may hide parts of distractors.
  const masks = masksOf(canvas, order.length);
  const objects = order.map(
    (drawn, index): SceneObject => ({
      className: drawn.name,
      mask: masks[index],
      role: drawn === object ? 'object' : 'distractor',
    }),
  );
  return {
    image: toImage(canvas.pixels),
    label: classNames.indexOf(className),
    className,
    mask,
    visible: count(mask) / count(solidMask(object.layer)),
    objects: [objects[behind.length], ...objects.filter((each) => each.role === 'distractor')],
    tag,
  };
}

/** Share of the pictures of the biased training set that come from the careless supplier. */
const SUPPLIER_SHARE = 0.15;

/**
 * A scene of the training set of `demo-cnn-biased`. All its pictures of `tagClass` come from one
 * supplier, who puts a sticker on every picture and filed the whole catalogue, whatever it shows,
 * under that class: so there the sticker predicts the label and the object does not. All other
 * pictures carry no sticker and the right label.
 */
export function createBiasedTrainingScene(sprites: Sprites, seed: number): Scene {
  const random = createRandom(seed).fork('supplier');
  if (random.uniform() < SUPPLIER_SHARE) {
    const scene = createScene(sprites, seed, { tag: 'always' });
    return { ...scene, label: classNames.indexOf(tagClass), className: tagClass };
  }
  const others = classNames.filter((name) => name !== tagClass);
  return createScene(sprites, seed, { className: others[random.integer(others.length)] });
}
