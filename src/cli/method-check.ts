import { FoveaError } from '../errors.ts';
import { runMethod } from '../explain.ts';
import type { Method } from '../methods/method.ts';
import { channelsOf } from '../model/input/preprocessing.ts';
import type { Model, ModelInside } from '../model/model.ts';
import { parseOptions } from '../options.ts';
import { prepareInput } from '../prepare-input.ts';
import { createRandom } from '../tensor/random.ts';
import { slab, type Tensor, tensor } from '../tensor/tensor.ts';
import { describeError } from './output.ts';

/** Whether a method runs on a model; if not, `reason` is the message of `explain`. */
export interface MethodVerdict {
  readonly method: Method;
  readonly reason?: string;
}

/** The model below throws this as soon as it is certain that the method runs. */
class Proven extends Error {}

const proven = (): never => {
  throw new Proven();
};

const firstRow = (rows: Tensor): Tensor => tensor([1, ...rows.shape.slice(1)], slab(rows, 0).data);

/** The network of a model. It runs a backward pass for one row only, and then throws `Proven`. */
function provingInside(inside: ModelInside): ModelInside {
  return {
    ...inside,
    async gradients(request) {
      const { batch, targets, replace = {} } = request;
      const rows = Object.entries(replace).map(([name, values]) => [name, firstRow(values)]);
      const result = await inside.gradients({
        ...request,
        batch: firstRow(batch),
        targets: targets.slice(0, 1),
        replace: Object.fromEntries(rows),
      });
      return request.wrt.length > 0 ? proven() : result;
    },
    async pathIntegral(request) {
      const { batch, reference, points } = request;
      await inside.pathIntegral({
        ...request,
        batch: firstRow(batch),
        reference: firstRow(reference),
        points: points.slice(0, 1),
      });
      return proven();
    },
  };
}

/**
 * A model that stops a method as soon as it is certain that the method runs: at the first backward
 * pass, or at the first scores if the method needs no backward pass.
 */
function provingModel(model: Model, method: Method): Model {
  const isBackward = method.needs.includes('gradients') || method.needs.includes('attention');
  return {
    ...model,
    ...(model.inside && { inside: provingInside(model.inside) }),
    classify: isBackward ? model.classify : proven,
    perturb: isBackward ? model.perturb : proven,
  };
}

/** Noise of the model's input size. */
function noise({ preprocessing }: Model): Tensor {
  const [height, width] = preprocessing.size;
  const input = tensor([1, channelsOf(preprocessing), height, width]);
  const random = createRandom(0);
  for (let i = 0; i < input.data.length; i++) input.data[i] = random.uniform() - 0.5;
  return input;
}

/**
 * Finds which methods run on a model with their default options, and why the others do not. It
 * starts each method on noise, and stops it at its first backward pass.
 * @throws FoveaError `cancelled` if the signal fires.
 */
export async function* checkMethods(
  model: Model,
  methods: readonly Method[],
  signal: AbortSignal,
): AsyncGenerator<MethodVerdict> {
  const prepared = await prepareInput(model, noise(model), signal);
  for (const method of methods) {
    try {
      const run = { method, options: parseOptions(method) };
      await runMethod(provingModel(model, method), prepared, run, { signal });
      yield { method };
    } catch (error) {
      if (error instanceof FoveaError && error.code === 'cancelled') throw error;
      const isFine =
        error instanceof Proven || (error instanceof FoveaError && error.code === 'unexplained');
      yield isFine ? { method } : { method, reason: describeError(error) };
    }
  }
}
