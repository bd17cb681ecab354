import { FoveaError } from '../../errors.ts';
import { createRandom } from '../../tensor/random.ts';
import { sizeOf, type Tensor, tensor } from '../../tensor/tensor.ts';
import { checkBudget } from '../check-budget.ts';
import { bothLabels, chooseLabels } from '../files/labels.ts';
import { createFunctionModel } from '../function-model.ts';
import { IMAGENET_PREPROCESSING, type Preprocessing } from '../input/preprocessing.ts';
import type { Model } from '../model.ts';
import { choosePreprocessing, sumToOne } from '../scores.ts';
import {
  type Interface,
  parseMetadata,
  parseScores,
  readInterface,
  requestBody,
} from './protocol.ts';
import { cacheKey, type Endpoint, requestText, type TransportOptions } from './transport.ts';

/** Options of `createRemoteModel`. */
export interface RemoteModelOptions extends TransportOptions {
  /** One label per class; class indices if left out, with a warning. */
  readonly labels?: readonly string[];
  /** Missing values are ImageNet's; if mean and std are missing, there is a warning. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** What the scores are; needed only if Fovea detects it wrongly. */
  readonly output?: 'logits' | 'probabilities';
  /** Most pictures per request; 8 by default, because JSON needs about 3 MB per picture. */
  readonly maxBatch?: number;
  /**
   * The most pictures that are sent to the server; no limit by default. One of them is sent when
   * the model is created. Responses from the cache do not count.
   */
  readonly budget?: number;
  readonly signal?: AbortSignal;
}

/** An endpoint with all options of the caller. */
interface RemoteEndpoint extends Endpoint {
  readonly options: RemoteModelOptions;
}

function endpointOf(address: string, options: RemoteModelOptions): RemoteEndpoint {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const [path = '', name = ''] =
    /^.*\/v2\/models\/([^/]+)(?:\/versions\/[^/]+)?(?=(?:\/infer)?\/?$)/.exec(
      url?.pathname ?? '',
    ) ?? [];
  if (url?.pathname.endsWith('.onnx')) {
    const advice = 'download it and give its path';
    throw new FoveaError('usage', `"${address}" is a model file on a web server: ${advice}`);
  }
  if (!url || !/^https?:$/.test(url.protocol) || !path) {
    throw new FoveaError(
      'usage',
      `"${address}" is not the address of a model server: ` +
        'expected the Open Inference Protocol, http(s)://HOST/v2/models/NAME',
    );
  }
  if (url.username || url.password)
    throw new FoveaError(
      'usage',
      'the address of a model server must not contain a password: pass headers.authorization',
    );
  return { url: `${url.origin}${path}`, name: decodeURIComponent(name), host: url.host, options };
}

/**
 * Makes a function that returns the scores of batches: from the cache if it has the same request,
 * otherwise from the server, within the budget.
 */
function createInference(endpoint: Endpoint, face: Interface, metadata: string, budget: number) {
  const { cache } = endpoint.options;
  let left = budget;
  const ask = async (body: string, count: number, signal?: AbortSignal): Promise<string> => {
    if (count > left)
      throw new FoveaError(
        'usage',
        `the budget of ${budget} model calls is used up ` +
          `(${budget - left} sent, ${count} more wanted): raise budget, or ask for fewer`,
      );
    left -= count;
    return requestText(endpoint, body, signal);
  };
  return async (batch: Tensor, signal?: AbortSignal): Promise<Tensor> => {
    const [count = 0] = batch.shape;
    const body = requestBody(face, batch);
    const key = cache && (await cacheKey(endpoint, metadata, body));
    const kept = key === undefined ? undefined : await cache?.get(key);
    const answer = kept ?? (await ask(body, count, signal));
    const scores = parseScores(answer, face, count, endpoint);
    if (kept === undefined && key !== undefined) await cache?.set(key, answer);
    return scores;
  };
}

/** `createRemoteModel`: it loads this module when it is called. */
export async function connect(address: string, options: RemoteModelOptions = {}): Promise<Model> {
  const endpoint = endpointOf(address, options);
  const { budget = Number.POSITIVE_INFINITY } = options;
  checkBudget(budget);
  const text = await requestText(endpoint, undefined, options.signal);
  const metadata = parseMetadata(text, endpoint);
  const face = readInterface(
    endpoint,
    metadata,
    options.preprocessing?.size ?? IMAGENET_PREPROCESSING.size,
  );
  const warnings: string[] = [];
  const [height, width] = face.size;
  const input = { channels: face.channels, height, width };
  const description = { ...options, name: endpoint.name };
  const preprocessing = choosePreprocessing(description, input, warnings);
  const random = createRandom(0);
  const shape = [1, face.channels, ...face.size];
  const noise = tensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
  const infer = createInference(endpoint, face, text, budget);
  const scores = await infer(noise, options.signal);
  const count = scores.data.length;
  const described = { ...description, labels: bothLabels(options.labels, count) };
  return createFunctionModel({
    name: endpoint.name,
    labels: chooseLabels(described, count === 1 ? 2 : count, warnings),
    preprocessing,
    output: options.output ?? (sumToOne(scores.data) ? 'probabilities' : 'logits'),
    classify: infer,
    fingerprint: endpoint.url,
    runtime: `remote ${endpoint.host}${metadata.platform ? ` (${metadata.platform})` : ''}`,
    warnings,
    maxBatch: face.fixedBatch ? 1 : (options.maxBatch ?? 8),
  });
}
