export { type GaussianBlurOptions, gaussianBlur, type RiseBlurOptions, riseBlur } from './blur.ts';
export { type FilterBorder, gaussianFilter } from './gaussian-filter.ts';
export { type Image, image } from './image.ts';
export { type InterpolateMode, type InterpolateOptions, interpolate } from './interpolate.ts';
export { createMask, type Mask } from './mask.ts';
export {
  centerCrop,
  type ResizeFilter,
  type ResizeOptions,
  resizeImage,
  resizeShorterSide,
} from './resize.ts';
