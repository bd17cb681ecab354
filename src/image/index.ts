export * from './blur.ts';
export * from './image.ts';
export * from './resize.ts';
