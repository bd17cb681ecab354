/**
 * A model in a worker: `createExplainer` loads it there and explains pictures, while the page stays
 * free. It can be called from any page; nothing runs on the page's own thread.
 */
export { FoveaError, type FoveaErrorCode } from '../errors.ts';
export type { CallOptions, WorkerLike } from './connection.ts';
export {
  createExplainer,
  type Explainer,
  type ExplainerOptions,
  type ExplainerRequest,
} from './explainer.ts';
export type {
  Classification,
  LayerGradients,
  MethodSummary,
  ModelSummary,
  WorkerExplainOptions,
  WorkerMeasureRequest,
  WorkerPerturbRequest,
} from './protocol.ts';
