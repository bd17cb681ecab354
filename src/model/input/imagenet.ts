import type { Preprocessing } from './preprocessing.ts';

/**
 * The usual preprocessing of torchvision and timm for evaluation, but with `stretch` instead of a
 * crop, so that the map covers the whole picture.
 */
export const IMAGENET_PREPROCESSING: Preprocessing = {
  size: [224, 224],
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  colour: 'RGB',
  scale: '0-1',
  resize: 'stretch',
  filter: 'bilinear',
};
