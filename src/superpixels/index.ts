export * from './felzenszwalb.ts';
export * from './quickshift.ts';
export * from './renumber.ts';
export * from './slic.ts';
export * from './superpixels.ts';
