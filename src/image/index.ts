export { type GaussianBlurOptions, gaussianBlur, type RiseBlurOptions, riseBlur } from './blur.ts';
export { type FilterBorder, gaussianFilter } from './gaussian-filter.ts';
export { type Image, image } from './image.ts';
export { createMask, type Mask } from './mask.ts';
export {
  centerCrop,
  type InterpolateMode,
  type InterpolateOptions,
  interpolate,
  type ResizeFilter,
  type ResizeOptions,
  resizeImage,
  resizeShorterSide,
} from './resize.ts';
