export * from './classes.ts';
export * from './scenes.ts';
export type { Sprite } from './scene/sprite.ts';
export type { Box } from './scene/tag.ts';
