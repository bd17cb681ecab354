export * from './classes.ts';
export type { Sprite } from './scene/sprite.ts';
export type { Box } from './scene/tag.ts';
export * from './scenes.ts';
