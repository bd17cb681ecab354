import { plain } from '../../autodiff/index.ts';
import { FoveaError } from '../../errors.ts';
import { compose, graphBuilder, modelOf, type OnnxModel } from '../../onnx/index.ts';
import type { RuntimeTensor, Session } from '../../runtime/runtime.ts';
import { sizeOf, slab, tensor } from '../../tensor/tensor.ts';
import { type BatchLimit, forEachBatch } from '../classifier/batches.ts';
import { SCORES } from '../classifier/sessions.ts';
import { checkGradients, checkScores } from '../function-model.ts';
import { INPUT, type ModelInside, type PathIntegralRequest } from '../model.ts';
import { buildPart, keyOf, type Part } from './part-graph.ts';
import { BuiltParts, checkTarget, limitOf, oneHot, type PartContext } from './run-part.ts';

const names = {
  end: 'fovea/path/end',
  start: 'fovea/path/start',
  points: 'fovea/path/points',
  weights: 'fovea/path/weights',
  values: 'fovea/path/values',
  kept: 'fovea/path/values/kept',
  integral: 'fovea/path/integral',
};

const ints = (values: readonly number[]): BigInt64Array => BigInt64Array.from(values, BigInt);

/**
 * Values v_k = r + α_k (u - r) [k, …] of one end u and one start r [1, …]: once for the
 * network, once for the sum.
 */
function pathGraph(shape: readonly number[], opset: number): OnnxModel {
  const b = graphBuilder({ opset, name: 'path' });
  const rows = (name: string) =>
    b.add('Reshape', [
      b.input(name, 'float32', [1, ...shape]),
      b.constant(ints([1, sizeOf(shape)]), [2]),
    ]);
  const [end, start] = [rows(names.end), rows(names.start)];
  const column = b.add('Reshape', [
    b.input(names.points, 'float32', ['points']),
    b.constant(ints([-1, 1]), [2]),
  ]);
  const path = b.add('Add', [start, b.add('Mul', [column, b.add('Sub', [end, start])])]);
  b.add('Reshape', [path, b.constant(ints([-1, ...shape]), [shape.length + 1])], {}, names.values);
  b.add('Identity', [names.values], {}, names.kept);
  for (const name of [names.values, names.kept]) b.output(name, 'float32', ['points', ...shape]);
  return modelOf(b.finish());
}

/** sum_k w_k v_k ⊙ g_k [1, size]. */
function sumGraph(shape: readonly number[], opset: number): OnnxModel {
  const b = graphBuilder({ opset, name: 'integral' });
  const [values, gradients] = [
    b.input('values', 'float32', ['points', ...shape]),
    b.input('gradients', 'float32', ['points', ...shape]),
  ];
  const products = b.add('Reshape', [
    b.add('Mul', [values, gradients]),
    b.constant(ints([-1, sizeOf(shape)]), [2]),
  ]);
  b.add('MatMul', [b.input(names.weights, 'float32', [1, 'points']), products], {}, names.integral);
  b.output(names.integral, 'float32', [1, sizeOf(shape)]);
  return modelOf(b.finish());
}

interface Built {
  readonly cotangent: string;
  readonly limit: BatchLimit;
}

/** The part of the network after `at`, forward and backward, between the path and the sum. */
function buildPath(
  context: PartContext,
  part: Part,
  shape: readonly number[],
): Built & { readonly model: OnnxModel } {
  const { model, input, gradients, cotangent } = buildPart(context.classifier, part);
  const opset = model.graph.opset.get('') ?? 1;
  const fed = compose(
    pathGraph(shape, opset),
    model,
    { [input]: names.values },
    { main: 'second' },
  );
  const summed = compose(
    fed,
    sumGraph(shape, opset),
    { values: names.kept, gradients: gradients.get(INPUT) as string },
    { main: 'first' },
  );
  return {
    model: summed,
    cotangent: cotangent as string,
    limit: limitOf(context, { model }, part),
  };
}

function checkRequest(
  context: PartContext,
  { batch, reference, points, target }: PathIntegralRequest,
): void {
  if (reference.shape.join() !== batch.shape.join()) {
    throw new FoveaError(
      'usage',
      `the path starts at [${reference.shape}] and ends at [${batch.shape}]: expected one shape`,
    );
  }
  if (points.length === 0)
    throw new FoveaError('usage', 'a path without points: expected at least one');
  checkTarget(context, target);
}

/** Values and their number, padded with zeros to what a model insists on: points of no weight. */
function padded(values: readonly number[], size: number | null): Float32Array {
  const data = new Float32Array(Math.max(values.length, size ?? 0));
  data.set(values);
  return data;
}

/**
 * `Model.pathIntegral`: the path, its products and their sum are made in the graph, so that only
 * its ends cross into it.
 */
export function pathIntegral(
  context: PartContext,
  resolve: (name: string) => string,
): ModelInside['pathIntegral'] {
  const { classifier, sessions, name } = context;
  const parts = new BuiltParts<Built>(name);
  const { fixedBatch } = classifier.input;
  const float = (data: Float32Array, shape: readonly number[]): RuntimeTensor => ({
    type: 'float32',
    shape: [...shape],
    data,
  });

  return async (request) => {
    checkRequest(context, request);
    const { batch, reference, points, target, score = 'logit', ...options } = request;
    const [rows, ...shape] = batch.shape;
    const part: Part = {
      at: request.at === undefined ? null : resolve(request.at),
      replaced: [],
      score,
      read: [],
      wrt: [INPUT],
      rules: plain,
    };
    const key = JSON.stringify(['path', keyOf(part), shape]);
    const result = tensor(batch.shape);
    const integrate = async (session: Session, row: number): Promise<void> => {
      const { cotangent, limit } = parts.get(key);
      const ends = {
        [names.end]: float(slab(batch, row).data, [1, ...shape]),
        [names.start]: float(slab(reference, row).data, [1, ...shape]),
      };
      const sum = slab(result, row).data;
      await forEachBatch(
        points.length,
        limit,
        { ...options, onProgress: undefined },
        async (from, to) => {
          const alphas = padded(points.slice(from, to), fixedBatch);
          const weights = padded(
            points.slice(from, to).map(() => 1 / points.length),
            fixedBatch,
          );
          const targets = Array.from(alphas, () => target);
          const outputs = await session.run({
            ...ends,
            [names.points]: float(alphas, [alphas.length]),
            [names.weights]: float(weights, [1, weights.length]),
            [cotangent]: oneHot(targets, alphas.length, classifier.output.classes ?? 0),
          });
          checkScores(name, outputs[SCORES].data as Float32Array);
          const data = outputs[names.integral].data as Float32Array;
          checkGradients(name, data);
          for (let i = 0; i < sum.length; i++) sum[i] += data[i];
        },
      );
      options.onProgress?.(row + 1, rows);
    };
    const build = () => parts.build(key, () => buildPath(context, part, shape));
    await sessions.use(key, build, async (session) => {
      for (let row = 0; row < rows; row++) await integrate(session, row);
    });
    return result;
  };
}
