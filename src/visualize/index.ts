export * from './colormap.ts';
export * from './contact-sheet.ts';
export * from './contour.ts';
export * from './normalize.ts';
export * from './overlay.ts';
export * from './report.ts';
export * from './sag-dot.ts';
export * from './sag-picture.ts';
