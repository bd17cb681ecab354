export { type FelzenszwalbOptions, felzenszwalb } from './felzenszwalb.ts';
export { type QuickshiftOptions, quickshift } from './quickshift.ts';
export { type SlicOptions, slic } from './slic.ts';
export type { Segmentation } from './superpixels.ts';
