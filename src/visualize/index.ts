export * from './colormap.ts';
export * from './contour.ts';
export * from './line-chart.ts';
export * from './normalize.ts';
export * from './overlay.ts';
export * from './report.ts';
