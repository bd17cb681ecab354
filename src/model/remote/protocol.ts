import * as v from 'valibot';
import { checkJson } from '../../check-json.ts';
import { FoveaError } from '../../errors.ts';
import { parseJson } from '../../json.ts';
import { integer } from '../../numbers.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Endpoint } from './transport.ts';

/** A size as a number, or as text (as some servers write 64-bit integers); -1 is any size. */
const size = v.union([integer, v.pipe(v.string(), v.regex(/^-?\d{1,9}$/), v.transform(Number))]);
const tensorSchema = v.looseObject({
  name: v.string(),
  datatype: v.string(),
  shape: v.pipe(v.array(size), v.maxLength(16)),
});
const metadataSchema = v.looseObject({
  name: v.optional(v.string()),
  platform: v.optional(v.string()),
  versions: v.nullish(v.array(v.string())),
  inputs: v.array(tensorSchema),
  outputs: v.array(tensorSchema),
});
const answerSchema = v.looseObject({
  outputs: v.pipe(
    v.array(
      v.looseObject({
        name: v.string(),
        shape: v.array(size),
        data: v.array(v.unknown()),
      }),
    ),
    v.minLength(1),
  ),
});

/** The metadata that a server returns for its model. */
export type Metadata = v.InferOutput<typeof metadataSchema>;

/** The picture input and the score output of a model, from its metadata. */
export interface Interface {
  readonly input: string;
  readonly datatype: string;
  readonly layout: 'NCHW' | 'NHWC';
  readonly hasBatch: boolean;
  readonly channels: number;
  readonly size: readonly [height: number, width: number];
  readonly output: string;
  readonly fixedBatch: boolean;
}

/** The largest side of a picture that is accepted, and the largest number of pixels. */
const MOST_SIDE = 16_384;
const MOST_PIXELS = 2 ** 25;

/** JSON has no NaN, but Python writes it. */
const NOT_FINITE = /[[,:]\s*-?(NaN|Infinity)\b/;

function readJson(text: string, { host, name }: Endpoint): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    if (NOT_FINITE.test(text.slice(0, 2 ** 20)))
      throw new FoveaError(
        'model',
        `${name} returned NaN or infinite scores: check the model and its preprocessing`,
        { cause },
      );
    const start = text.slice(0, 40).replace(/\s+/g, ' ');
    throw new FoveaError(
      'runtime',
      `${host} did not send JSON (it starts "${start}"): is it a server of the Open ` +
        'Inference Protocol?',
      { cause },
    );
  }
}

function parseAnswer<T extends v.GenericSchema>(
  schema: T,
  text: string,
  endpoint: Endpoint,
): v.InferOutput<T> {
  const { value, problems } = checkJson(schema, readJson(text, endpoint), 'the response');
  if (!problems) return value;
  throw new FoveaError(
    'runtime',
    `${endpoint.host} sent a response about ${endpoint.name} that the Open Inference ` +
      `Protocol does not allow: ${problems[0]}`,
  );
}

/**
 * Parses the metadata of a model from the text of a response.
 * @throws FoveaError `runtime` if the response does not follow the protocol.
 */
export const parseMetadata = (text: string, endpoint: Endpoint): Metadata =>
  parseAnswer(metadataSchema, text, endpoint);

/**
 * Finds the picture input and the score output by the shapes in the metadata.
 * @param wanted - height and width for a model that takes any size
 * @throws FoveaError `model` if it is not an image classifier, `unsupported` if it takes other
 * types or batches than Fovea sends.
 */
export function readInterface(
  { name }: Endpoint,
  { inputs, outputs }: Metadata,
  wanted: readonly [number, number],
): Interface {
  const [first, ...others] = inputs;
  if (!first || others.length > 0) {
    const names = inputs.map((input) => input.name).join(', ') || 'none';
    throw notAClassifier(name, `it has ${inputs.length} inputs (${names}), expected one picture`);
  }
  const { name: input, datatype, shape } = first;
  if (datatype !== 'FP32' && datatype !== 'FP64')
    throw new FoveaError('unsupported', `${name} takes ${datatype} pictures: expected FP32`);
  const hasBatch = shape.length === 4;
  const [batch = 1] = hasBatch ? shape : [];
  if (batch > 1)
    throw new FoveaError(
      'unsupported',
      `${name} takes batches of exactly ${batch} pictures: expected any number, or 1`,
    );
  const output = outputs.find(({ shape: s }) => s.filter((dim) => dim !== 1).length <= 2);
  if (!output) {
    const shapes = outputs.map((o) => `${o.name} [${o.shape}]`).join(', ') || 'none';
    throw notAClassifier(name, `its outputs are ${shapes}, expected scores [n, classes]`);
  }
  return {
    ...pictureOf(name, first, hasBatch ? shape.slice(1) : shape, wanted),
    input,
    datatype,
    hasBatch,
    output: output.name,
    fixedBatch: !hasBatch || batch === 1,
  };
}

const notAClassifier = (name: string, what: string) =>
  new FoveaError('model', `${name} is not an image classifier: ${what}`);

/** Channels and size of the picture that an input takes. */
function pictureOf(
  name: string,
  { name: input, shape }: { readonly name: string; readonly shape: readonly number[] },
  dims: readonly number[],
  wanted: readonly [number, number],
): Pick<Interface, 'layout' | 'channels' | 'size'> {
  const [first, second, last, ...rest] = dims;
  const isColour = (dim: number | undefined) => dim === 1 || dim === 3;
  if (first === undefined || second === undefined || last === undefined || rest.length > 0)
    throw notAClassifier(name, `its input ${input} is [${shape}], ${EXPECTED_INPUT}`);
  const layout = isColour(first) ? 'NCHW' : 'NHWC';
  const [channels, height, width] =
    layout === 'NCHW' ? [first, second, last] : [last, first, second];
  const size = [height === -1 ? wanted[0] : height, width === -1 ? wanted[1] : width] as const;
  const isSize = (side: number) => side >= 1 && side <= MOST_SIDE;
  if (!isColour(channels) || !size.every(isSize) || size[0] * size[1] > MOST_PIXELS)
    throw notAClassifier(name, `its input ${input} is [${shape}], ${EXPECTED_INPUT}`);
  return { layout, channels, size };
}

const EXPECTED_INPUT =
  `expected [n, 3, height, width] or [n, height, width, 3] with sides of 1 to ${MOST_SIDE} ` +
  `and at most ${MOST_PIXELS} pixels`;

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

/** The request that sends a batch of preprocessed pictures, as text. */
export function requestBody(face: Interface, batch: Tensor): string {
  const [count = 0, channels = 0, height = 0, width = 0] = batch.shape;
  const picture = face.layout === 'NCHW' ? [channels, height, width] : [height, width, channels];
  const data = Array.from(face.layout === 'NCHW' ? batch.data : channelsLast(batch));
  const shape = face.hasBatch ? [count, ...picture] : picture;
  const input = { name: face.input, datatype: face.datatype, shape, data };
  return JSON.stringify({ inputs: [input], outputs: [{ name: face.output }] });
}

/** The deepest nesting of numbers that is accepted; some servers nest them by the shape. */
const MOST_NESTING = 4;

/** All numbers of a list, nested or not; undefined if there is anything else in it. */
function numbersOf(data: readonly unknown[]): Float32Array | undefined {
  const flat = data.flat(MOST_NESTING);
  return flat.every((value) => typeof value === 'number') ? Float32Array.from(flat) : undefined;
}

/**
 * Parses the scores of `count` pictures, [count, classes], from the text of a response. Only
 * numbers in the declared shape are accepted.
 * @throws FoveaError `model` or `runtime` if the response is anything else.
 */
export function parseScores(
  text: string,
  face: Interface,
  count: number,
  endpoint: Endpoint,
): Tensor {
  const { outputs } = parseAnswer(answerSchema, text, endpoint);
  const output = outputs.find(({ name }) => name === face.output);
  if (!output)
    throw new FoveaError(
      'runtime',
      `${endpoint.host} sent ${outputs.map(({ name }) => name).join(', ')} for ` +
        `${endpoint.name}: expected its output ${face.output}`,
    );
  const values = numbersOf(output.data);
  if (!values)
    throw new FoveaError(
      'model',
      `${endpoint.name} returned ${face.output} with values that are not numbers: expected ` +
        `scores [${count}, classes]`,
    );
  const { shape } = output;
  const classes = values.length / count;
  const declared = shape.reduce((product, side) => product * side, 1);
  const rows = shape.length === 1 && count === 1 ? 1 : shape[0];
  const isPlausible = Number.isInteger(classes) && classes >= 1 && shape.every((side) => side >= 0);
  if (!isPlausible || declared !== values.length || rows !== count)
    throw new FoveaError(
      'model',
      `${endpoint.name} returned ${output.name} [${shape}] with ${values.length} values for ` +
        `${count} pictures: expected scores [${count}, classes]`,
    );
  return tensor([count, classes], values);
}
