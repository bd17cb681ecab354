/** The families of the layers in which most classifiers end. A page fetches them as one file. */

export { globalPooling } from './global-pooling.ts';
export { linalg } from './linalg.ts';
export { reshaping } from './reshaping.ts';
