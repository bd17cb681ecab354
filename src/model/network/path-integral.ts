import { plain } from '../../autodiff/index.ts';
import { FoveaError } from '../../errors.ts';
import { compose, graphBuilder, modelOf, type OnnxModel, opsetOf } from '../../onnx/index.ts';
import type { RuntimeTensor, Session } from '../../runtime/runtime.ts';
import { at } from '../../tensor/at.ts';
import { sizeOf, slab, type Tensor, tensor } from '../../tensor/tensor.ts';
import { forEachBatch } from '../classifier/batches.ts';
import { SCORES } from '../classifier/score-tail.ts';
import type { BuiltGraph } from '../classifier/sessions.ts';
import { INPUT, type ModelInside, type PathIntegralRequest } from '../model.ts';
import { checkGradients, checkScores } from '../scores.ts';
import { buildPart, keyOf, type Part } from './part-graph.ts';
import {
  building,
  checkTarget,
  limitOf,
  type PartContext,
  type PartInfo,
  resolveName,
  scoreWeights,
} from './run-part.ts';

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
 * The graph of the values v_k = r + α_k (u - r) [k, …] between a start r and an end u [1, …]. It
 * returns them twice: for the network and for the sum.
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

/** Facts about the graph of a path: the cotangent's input, and the most points per call. */
type PathInfo = Pick<PartInfo, 'limit'> & { readonly cotangent: string };

/** Joins the path, the part of the network after `at` (forward and backward), and the sum. */
async function buildPath(
  context: PartContext,
  part: Part,
  shape: readonly number[],
): Promise<BuiltGraph<PathInfo>> {
  const built = await buildPart(context.classifier, context.prepared, part);
  const opset = opsetOf(built.model.graph, { domain: '' });
  const fed = compose(
    pathGraph(shape, opset),
    built.model,
    { [built.input]: names.values },
    { main: 'second' },
  );
  const model = compose(
    fed,
    sumGraph(shape, opset),
    { values: names.kept, gradients: built.gradients.get(INPUT) ?? '' },
    { main: 'first' },
  );
  const info = { cotangent: built.cotangent ?? '', limit: limitOf(context, model, part) };
  return { model, info };
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

/** Values, padded with zeros to the batch size of the model. */
function padded(values: readonly number[], size: number | null): Float32Array {
  const data = new Float32Array(Math.max(values.length, size ?? 0));
  data.set(values);
  return data;
}

const float = (data: Float32Array, shape: readonly number[]): RuntimeTensor => ({
  type: 'float32',
  shape: [...shape],
  data,
});

/** 1 / K · sum_k v_k ⊙ dS/dv (v_k) along the path of one row, whose ends are `u` and `r`. */
async function integrate(
  { name, classifier: { input, output } }: PartContext,
  session: Session,
  { cotangent, limit }: PathInfo,
  [u, r]: readonly [Tensor, Tensor],
  { points, target, onProgress, ...options }: PathIntegralRequest,
): Promise<Float32Array> {
  const ends = {
    [names.end]: float(u.data, [1, ...u.shape]),
    [names.start]: float(r.data, [1, ...r.shape]),
  };
  const sum = new Float32Array(u.data.length);
  await forEachBatch(points.length, limit, options, async (from, to) => {
    const some = points.slice(from, to);
    const alphas = padded(some, input.fixedBatch);
    const weights = padded(
      some.map(() => 1 / points.length),
      input.fixedBatch,
    );
    const targets = Array.from(alphas, () => target);
    const outputs = await session.run({
      ...ends,
      [names.points]: float(alphas, [alphas.length]),
      [names.weights]: float(weights, [1, weights.length]),
      [cotangent]: scoreWeights(targets, alphas.length, output.classes ?? 0),
    });
    checkScores(name, outputs[SCORES]?.data as Float32Array);
    const part = outputs[names.integral]?.data as Float32Array;
    checkGradients(name, part);
    sum.set(sum.map((value, i) => value + at(part, i)));
  });
  return sum;
}

/**
 * `ModelInside.pathIntegral`. The graph computes the path, the products and their sum, so only the
 * ends of the path are copied into the session.
 */
export function pathIntegralOf(context: PartContext): ModelInside['pathIntegral'] {
  const { classifier, name, sessions } = context;
  return async (request) => {
    checkRequest(context, request);
    const { batch, reference, score = 'logit', onProgress } = request;
    const [rows = 0, ...shape] = batch.shape;
    const part: Part = {
      at: request.at === undefined ? null : resolveName(classifier, request.at),
      replaced: [],
      score,
      read: [],
      wrt: [INPUT],
      rules: plain,
    };
    const build = () => building(name, () => buildPath(context, part, shape));
    const result = tensor(batch.shape);
    await sessions.use(`path [${shape}] ${keyOf(part)}`, build, async (session, info) => {
      for (let row = 0; row < rows; row++) {
        const ends = [slab(batch, row), slab(reference, row)] as const;
        slab(result, row).data.set(await integrate(context, session, info, ends, request));
        onProgress?.(row + 1, rows);
      }
    });
    return result;
  };
}
