export { pearson, spearman } from './correlation.ts';
export * from './npy.ts';
export * from './random.ts';
export * from './tensor.ts';
