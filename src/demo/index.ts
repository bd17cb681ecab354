export {
  type ClassName,
  classNames,
  type DistractorName,
  distractorNames,
  tagClass,
} from './classes.ts';
export type { Sprite } from './scene/sprite.ts';
export type { Box } from './scene/tag.ts';
export {
  createBiasedTrainingScene,
  createScene,
  type Scene,
  type SceneObject,
  type SceneOptions,
  type SceneTag,
  type Sprites,
  sceneSide,
} from './scenes.ts';
