import { readFile } from 'node:fs/promises';
import { loadSharp } from '../node/sharp.ts';
import type { ClassName, DistractorName } from './classes.ts';
import { classNames, distractorNames } from './classes.ts';
import type { Sprite } from './scene/sprite.ts';
import type { Sprites } from './scenes.ts';

/** The folder of the sprites, beside this module. */
const ASSETS = new URL('./assets/', import.meta.url);

/** File name of a sprite in `assets/`. */
function spriteFile(name: ClassName | DistractorName): string {
  return `${name.replaceAll(' ', '-')}.webp`;
}

async function loadSprite(name: ClassName | DistractorName): Promise<Sprite> {
  const bytes = await readFile(new URL(spriteFile(name), ASSETS));
  const sharp = await loadSharp();
  const { data, info } = await sharp(bytes)
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

/** Reads and decodes all sprites of the demo scenes from disk (Node only). */
export async function loadSprites(): Promise<Sprites> {
  const names = [...classNames, ...distractorNames];
  const entries = await Promise.all(
    names.map(async (name) => [name, await loadSprite(name)] as const),
  );
  return Object.fromEntries(entries) as Record<ClassName | DistractorName, Sprite>;
}
