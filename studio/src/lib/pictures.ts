import type { Image } from 'fovea/web';

/** What a demo scene is known to show. */
interface SceneTruth {
  readonly label: string;
  readonly hasSticker: boolean;
  /** The pixels of the object, 1 inside, row by row. */
  readonly mask: Uint8Array;
}

/** A picture of the page. */
export interface Picture {
  readonly name: string;
  readonly image: Image;
  /** The same pixels, to draw from. */
  readonly canvas: HTMLCanvasElement;
  /** The file of a demo scene. */
  readonly scene?: string;
  readonly truth?: SceneTruth;
}

interface SceneEntry {
  readonly file: string;
  /** The file of a small copy. */
  readonly small: string;
  readonly label: string;
  /** The middle of the sticker, in pixels. */
  readonly sticker?: { readonly x: number; readonly y: number };
  readonly mask: readonly number[];
}

/** A demo scene that can be opened. */
export interface Scene {
  readonly file: string;
  readonly address: string;
  /** The address of a small copy. */
  readonly small: string;
  readonly truth: SceneTruth;
}

const SCENE_SIDE = 224;

function maskOf(runs: readonly number[]): Uint8Array {
  const mask = new Uint8Array(SCENE_SIDE * SCENE_SIDE);
  let at = 0;
  for (const [i, run] of runs.entries()) {
    if (i % 2 === 1) mask.fill(1, at, at + run);
    at += run;
  }
  return mask;
}

let known: Promise<Scene[]> | undefined;

/** The demo scenes in the order of the page. */
export function scenes(): Promise<Scene[]> {
  known ??= fetch('./scenes/scenes.json')
    .then((response) => response.json() as Promise<SceneEntry[]>)
    .then((list) =>
      list.map(({ file, small, label, sticker, mask }) => ({
        file,
        address: `./scenes/${file}`,
        small: `./scenes/${small}`,
        truth: { label, hasSticker: sticker !== undefined, mask: maskOf(mask) },
      })),
    );
  return known;
}

/** A picture as pixels of a canvas. */
export function toImageData({ width, height, data }: Image): ImageData {
  const pixels = new ImageData(width, height);
  for (let i = 0, j = 0; i < data.length; i += 3, j += 4) {
    pixels.data[j] = data[i] ?? 0;
    pixels.data[j + 1] = data[i + 1] ?? 0;
    pixels.data[j + 2] = data[i + 2] ?? 0;
    pixels.data[j + 3] = 255;
  }
  return pixels;
}

/** The pixels of a canvas as a picture. */
export function fromImageData({ width, height, data }: ImageData): Image {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, j = 0; i < rgb.length; i += 3, j += 4) {
    rgb[i] = data[j] ?? 0;
    rgb[i + 1] = data[j + 1] ?? 0;
    rgb[i + 2] = data[j + 2] ?? 0;
  }
  return { width, height, data: rgb };
}

export function createCanvas(width: number, height: number): HTMLCanvasElement {
  return Object.assign(document.createElement('canvas'), { width, height });
}

/** The drawing context of a canvas. */
export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('this browser has no memory left for a canvas');
  return context;
}

/** The pixels of a canvas as a PNG. */
export function blobOf(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no PNG'))), 'image/png');
  });
}

/** A picture that was read, ready to be drawn. */
export function pictureOf(name: string, image: Image, more: Partial<Picture> = {}): Picture {
  const canvas = createCanvas(image.width, image.height);
  contextOf(canvas).putImageData(toImageData(image), 0, 0);
  return { name, image, canvas, ...more };
}

/** Reads a file that was dropped, pasted or chosen, or a scene by its address. */
export async function readPicture(source: Blob | string, name: string): Promise<Picture> {
  const { readImage } = await import('fovea/web');
  return pictureOf(name, await readImage(source, { name }));
}

/** Opens a demo scene. */
export async function openScene({ file, address, truth }: Scene): Promise<Picture> {
  const picture = await readPicture(address, file);
  return { ...picture, scene: file, truth };
}
