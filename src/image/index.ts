export * from './blur.ts';
export * from './gaussian-filter.ts';
export * from './image.ts';
export * from './resize.ts';
