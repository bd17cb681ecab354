import { z } from 'zod';
import { FoveaError, messageOf } from '../errors.ts';
import { createRandom } from '../tensor/random.ts';
import { sizeOf, type Tensor, tensor } from '../tensor/tensor.ts';
import { createFunctionModel } from './function-model.ts';
import { channelsOf, IMAGENET_PREPROCESSING, type Preprocessing } from './input/preprocessing.ts';
import type { Model } from './model.ts';

/** Options of `createRemoteModel`. */
export interface RemoteModelOptions {
  /** One label a class; class indices if left out, with a warning. */
  readonly labels?: readonly string[];
  /** What is left out is ImageNet's usual preprocessing, with a warning if all of it is. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** What the scores are, where detection is wrong. */
  readonly output?: 'logits' | 'probabilities';
  /** Sent with every request, e.g. `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** In place of the platform's own. */
  readonly fetch?: typeof globalThis.fetch;
  /** Most pictures a request; 8 by default, since JSON takes some 3 MB a picture. */
  readonly maxBatch?: number;
  readonly signal?: AbortSignal;
}

const tensorSchema = z.looseObject({
  name: z.string(),
  datatype: z.string(),
  shape: z.array(z.coerce.number().int()),
});
const metadataSchema = z.looseObject({
  name: z.string().optional(),
  platform: z.string().optional(),
  versions: z.array(z.string()).nullish(),
  inputs: z.array(tensorSchema),
  outputs: z.array(tensorSchema),
});
const answerSchema = z.looseObject({
  outputs: z
    .array(
      z.looseObject({
        name: z.string(),
        shape: z.array(z.number().int()),
        data: z.array(z.unknown()),
      }),
    )
    .min(1),
});

/** How pictures go into the model and scores come out, as its metadata says. */
interface Interface {
  readonly input: string;
  readonly datatype: string;
  readonly layout: 'NCHW' | 'NHWC';
  readonly hasBatch: boolean;
  readonly channels: number;
  readonly size: readonly [height: number, width: number];
  readonly output: string;
  readonly fixedBatch: boolean;
}

/** One model on a server. */
interface Endpoint {
  readonly url: string;
  readonly name: string;
  readonly host: string;
  readonly options: RemoteModelOptions;
}

function endpointOf(address: string, options: RemoteModelOptions): Endpoint {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const [path, name] =
    /^.*\/v2\/models\/([^/]+)(?:\/versions\/[^/]+)?(?=(?:\/infer)?\/?$)/.exec(
      url?.pathname ?? '',
    ) ?? [];
  if (!url || !/^https?:$/.test(url.protocol) || !path) {
    throw new FoveaError(
      'usage',
      `"${address}" is no address of a model server: expected the Open Inference Protocol, http(s)://HOST/v2/models/NAME`,
    );
  }
  if (url.username || url.password)
    throw new FoveaError(
      'usage',
      'the address of a model server must not hold a password: pass headers.authorization',
    );
  return { url: `${url.origin}${path}`, name: decodeURIComponent(name), host: url.host, options };
}

/** The server's own words, if it answers as the protocol says. */
function reasonIn(text: string): string {
  try {
    const { error, detail } = JSON.parse(text) as { error?: unknown; detail?: unknown };
    return String(error ?? detail ?? '').split('\n')[0];
  } catch {
    return '';
  }
}

/**
 * Failures of a connection that the server had closed while it was idle; the same request may well
 * pass on a new one.
 */
const STALE = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

async function send(
  endpoint: Endpoint,
  path: string,
  body: string | undefined,
  signal: AbortSignal | undefined,
  isLast = false,
): Promise<{ status: number; text: string }> {
  const { url, host, options } = endpoint;
  const headers = {
    accept: 'application/json',
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...options.headers,
  };
  try {
    const response = await (options.fetch ?? globalThis.fetch)(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body,
      signal,
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    if (signal?.aborted) throw new FoveaError('cancelled', `the request to ${host} was cancelled`);
    const code = (error as { cause?: { code?: string } }).cause?.code;
    if (!isLast && code && STALE.has(code)) return send(endpoint, path, body, signal, true);
    throw new FoveaError(
      'runtime',
      `the model server ${host} cannot be reached (${code ?? messageOf(error)}): check the address and that it runs`,
      {
        cause: error,
      },
    );
  }
}

async function request(
  endpoint: Endpoint,
  path: string,
  body?: string,
  signal?: AbortSignal,
): Promise<unknown> {
  const { name, host } = endpoint;
  const { status, text } = await send(endpoint, path, body, signal);
  if (status < 200 || status >= 300)
    throw statusError({
      name,
      host,
      status,
      reason: reasonIn(text),
      isInference: body !== undefined,
    });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FoveaError(
      'runtime',
      `${host} does not answer in JSON (it starts "${text.slice(0, 40).replace(/\s+/g, ' ')}"): is it a server of the Open Inference Protocol?`,
      { cause: error },
    );
  }
}

function statusError({
  name,
  host,
  status,
  reason,
  isInference,
}: {
  name: string;
  host: string;
  status: number;
  reason: string;
  isInference: boolean;
}): FoveaError {
  const words = reason ? `: ${reason}` : '';
  if (status === 401 || status === 403)
    return new FoveaError(
      'runtime',
      `${host} refuses access to ${name} (HTTP ${status})${words}; pass headers.authorization`,
    );
  if (status === 404)
    return new FoveaError('model', `${host} has no model ${name} (HTTP 404)${words}`);
  // a smaller batch may pass, so this counts as an allocation failure
  const cause =
    status === 413 || status === 507 ? new RangeError(`out of memory: HTTP ${status}`) : undefined;
  return new FoveaError(
    'runtime',
    `${host} could not ${isInference ? 'run' : 'describe'} ${name} (HTTP ${status})${words}`,
    { cause },
  );
}

function parseAnswer<T extends z.ZodType>(
  schema: T,
  json: unknown,
  { host, name }: Endpoint,
): z.output<T> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues;
  throw new FoveaError(
    'runtime',
    `${host} answers for ${name} what is not of the Open Inference Protocol: ${path.join('.') || 'the answer'}: ${message}`,
  );
}

function readInterface(
  { name }: Endpoint,
  { inputs, outputs }: z.output<typeof metadataSchema>,
  wanted: readonly [number, number],
): Interface {
  const fail = (what: string): never => {
    throw new FoveaError('model', `${name} is no image classifier: ${what}`);
  };
  if (inputs.length !== 1)
    fail(
      `it has ${inputs.length} inputs (${inputs.map((input) => input.name).join(', ')}), expected one picture`,
    );
  const [{ name: input, datatype, shape }] = inputs;
  if (datatype !== 'FP32' && datatype !== 'FP64')
    throw new FoveaError('unsupported', `${name} takes ${datatype} pictures: expected FP32`);
  const hasBatch = shape.length === 4;
  const dims = hasBatch ? shape.slice(1) : shape;
  const isColour = (dim: number) => dim === 1 || dim === 3;
  if (dims.length !== 3 || !(isColour(dims[0]) || isColour(dims[2])))
    fail(
      `its input ${input} is [${shape}], expected [n, 3, height, width] or [n, height, width, 3]`,
    );
  const layout = isColour(dims[0]) ? 'NCHW' : 'NHWC';
  const [channels, height, width] = layout === 'NCHW' ? dims : [dims[2], dims[0], dims[1]];
  if (hasBatch && shape[0] > 1)
    throw new FoveaError(
      'unsupported',
      `${name} takes batches of exactly ${shape[0]} pictures: expected any number, or 1`,
    );
  const output = outputs.find(({ shape: s }) => s.filter((dim) => dim !== 1).length <= 2);
  if (!output)
    return fail(
      `its outputs are ${outputs.map((o) => `${o.name} [${o.shape}]`).join(', ') || 'none'}, expected scores [n, classes]`,
    );
  const size = [height > 0 ? height : wanted[0], width > 0 ? width : wanted[1]] as const;
  return {
    input,
    datatype,
    layout,
    hasBatch,
    channels,
    size,
    output: output.name,
    fixedBatch: !hasBatch || shape[0] === 1,
  };
}

/** [n, C, H, W] -> [n, H, W, C]. */
function channelsLast({ shape: [count, channels, height, width], data }: Tensor): Float32Array {
  const area = height * width;
  const result = new Float32Array(data.length);
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < channels; c++) {
      const plane = (n * channels + c) * area;
      for (let i = 0; i < area; i++) result[(n * area + i) * channels + c] = data[plane + i];
    }
  }
  return result;
}

async function infer(
  endpoint: Endpoint,
  face: Interface,
  batch: Tensor,
  signal?: AbortSignal,
): Promise<Tensor> {
  const [count, channels, height, width] = batch.shape;
  const picture = face.layout === 'NCHW' ? [channels, height, width] : [height, width, channels];
  const data = Array.from(face.layout === 'NCHW' ? batch.data : channelsLast(batch));
  const input = {
    name: face.input,
    datatype: face.datatype,
    shape: face.hasBatch ? [count, ...picture] : picture,
    data,
  };
  const json = await request(
    endpoint,
    '/infer',
    JSON.stringify({ inputs: [input], outputs: [{ name: face.output }] }),
    signal,
  );
  const { outputs } = parseAnswer(answerSchema, json, endpoint);
  const output = outputs.find(({ name }) => name === face.output) ?? outputs[0];
  const values = output.data.flat(4).map(Number); // some servers nest the data in the shape
  const classes = values.length / count;
  if (!Number.isInteger(classes) || classes < 1 || values.some(Number.isNaN)) {
    throw new FoveaError(
      'model',
      `${endpoint.name} answers ${output.name} [${output.shape}] with ${values.length} values for ${count} pictures: expected scores [${count}, classes]`,
    );
  }
  return tensor([count, classes], Float32Array.from(values));
}

/** Whether rows look like the answer of a softmax. */
function sumsToOne({ shape: [rows, classes], data }: Tensor): boolean {
  if (classes < 2 || data.some((value) => value < 0)) return false;
  const sums = Array.from({ length: rows }, (_, i) =>
    data.subarray(i * classes, (i + 1) * classes).reduce((sum, x) => sum + x, 0),
  );
  return sums.every((sum) => Math.abs(sum - 1) < 1e-3);
}

function choosePreprocessing(
  { name, options }: Endpoint,
  { channels, size }: Interface,
  warnings: string[],
): Preprocessing {
  const grey: Partial<Preprocessing> =
    channels === 1 ? { colour: 'grey', mean: [0.5], std: [0.5] } : {};
  const chosen: Preprocessing = {
    ...IMAGENET_PREPROCESSING,
    ...grey,
    ...options.preprocessing,
    size,
  };
  // How pictures are resized says nothing of how they are normalised.
  if (options.preprocessing?.mean === undefined && options.preprocessing?.std === undefined) {
    warnings.push(
      `${name}: no mean and std are given, so the usual preprocessing is assumed (mean ${chosen.mean}, std ${chosen.std}, ${chosen.colour} in 0-1, resized to ${size.join('×')})`,
    );
  }
  if (channelsOf(chosen) !== channels) {
    throw new FoveaError(
      'model',
      `${name} takes ${channels} channels, its preprocessing makes ${channelsOf(chosen)} (colour ${chosen.colour})`,
    );
  }
  return chosen;
}

function chooseLabels(
  { name, options: { labels } }: Endpoint,
  classes: number,
  warnings: string[],
): readonly string[] {
  if (labels && labels.length !== classes) {
    throw new FoveaError(
      'model',
      `${name} has ${classes} classes, but ${labels.length} labels are given: expected one label a class`,
    );
  }
  if (!labels) warnings.push(`${name}: no labels are given, so classes are named by their index`);
  return labels ?? Array.from({ length: classes }, (_, i) => String(i));
}

/**
 * A classifier behind a server of the Open Inference Protocol (KServe v2 over HTTP): Triton,
 * OpenVINO Model Server, MLServer, TorchServe and others. `address` is
 * `http(s)://HOST/v2/models/NAME`, with `/versions/V` if wanted.
 * @throws FoveaError `runtime` if the server cannot be reached or fails, `model` if it has no such
 * image classifier.
 */
export async function createRemoteModel(
  address: string,
  options: RemoteModelOptions = {},
): Promise<Model> {
  const endpoint = endpointOf(address, options);
  const metadata = parseAnswer(
    metadataSchema,
    await request(endpoint, '', undefined, options.signal),
    endpoint,
  );
  const face = readInterface(
    endpoint,
    metadata,
    options.preprocessing?.size ?? IMAGENET_PREPROCESSING.size,
  );
  const warnings: string[] = [];
  const preprocessing = choosePreprocessing(endpoint, face, warnings);
  const random = createRandom(0);
  const shape = [1, face.channels, ...face.size];
  const noise = tensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
  const scores = await infer(endpoint, face, noise, options.signal);
  return createFunctionModel({
    name: endpoint.name,
    labels: chooseLabels(endpoint, scores.shape[1], warnings),
    preprocessing,
    output: options.output ?? (sumsToOne(scores) ? 'probabilities' : 'logits'),
    classify: (batch, signal) => infer(endpoint, face, batch, signal),
    fingerprint: endpoint.url,
    runtime: `remote ${endpoint.host}${metadata.platform ? ` (${metadata.platform})` : ''}`,
    warnings,
    maxBatch: face.fixedBatch ? 1 : (options.maxBatch ?? 8),
  });
}
