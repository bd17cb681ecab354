export * from './alternates.ts';
export * from './fillers.ts';
export * from './inpainting.ts';
