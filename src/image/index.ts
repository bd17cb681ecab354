export * from './blur.ts';
export * from './gaussian-filter.ts';
export * from './image.ts';
export * from './mask.ts';
export * from './resize.ts';
