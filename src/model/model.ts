/// <reference lib="esnext.disposable" preserve="true" />
import type { RuleSet } from '../autodiff/index.ts';
import { FoveaError } from '../errors.ts';
import type { DeviceReport } from '../runtime/device-report.ts';
import type { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Preprocessing } from './input/preprocessing.ts';
import type { Perturbation } from './perturbation.ts';

/**
 * What a score is: the model's logit, or its probability after softmax (sigmoid for one-logit and
 * multi-label heads).
 */
export type ScoreKind = 'logit' | 'probability';

/** Options of every call that runs the model on many pictures. */
export interface RunOptions {
  /**
   * Pictures per session call; by default as many as the memory budget allows. It changes results
   * by rounding errors only.
   */
  batchSize?: number;
  signal?: AbortSignal;
  /** Called after each batch with the number of pictures done so far. */
  onProgress?: (done: number, total: number) => void;
}

export interface ClassifyOptions extends RunOptions {
  /** `probability` by default. */
  score?: ScoreKind;
}

export interface PerturbRequest extends RunOptions {
  /** The preprocessed picture, [1, C, H, W]. */
  input: Tensor;
  perturbation: Perturbation;
  /**
   * What replaces masked pixels: [1, C, H, W], or [1, C, 1, 1] for a constant; both in the input's
   * normalized units.
   */
  baseline: Tensor;
  /** Class indices to score. */
  targets: readonly number[];
  /** `probability` by default. */
  score?: ScoreKind;
}

/** In a `GradientRequest`, the input of the model: pictures, or values of the tensor `at`. */
export const INPUT = 'input';

/** A class and its weight in a sum of scores. */
export interface WeightedClass {
  readonly index: number;
  readonly weight: number;
}

/** The score to differentiate: of one class, or the weighted sum of the scores of several. */
export type TargetScore = number | readonly WeightedClass[];

/** What to differentiate, and where. */
export interface GradientRequest extends RunOptions {
  /** Preprocessed pictures [n, C, H, W], or values [n, …] of the tensor `at`. */
  batch: Tensor;
  /**
   * The tensor of the network whose values `batch` contains. Only the part of the network after it
   * is run.
   */
  at?: string;
  /**
   * Tensors to differentiate by: their names, or the names of their nodes; `INPUT` is `batch`
   * itself. An empty list computes the scores only.
   */
  wrt: readonly string[];
  /** The class of each row, or one class for all; or weighted sums of classes. */
  targets: readonly TargetScore[];
  /** `logit` by default. */
  score?: ScoreKind;
  /**
   * Which backward rules to use. `plain`, the default, is the chain rule. With other rules the
   * returned "gradients" are relevances (LRP) or multipliers (DeepLIFT).
   */
  rules?: RuleSet;
  /** One row [1, …] that `batch` is compared with, for rules with a reference, such as DeepLIFT. */
  reference?: Tensor;
  /**
   * Tensors of the network that get the given values [n, …] instead of computed ones. They may be
   * listed in `wrt` too.
   */
  replace?: Replacements;
}

/** Values [n, …] of tensors of the network, by the names of the tensors. */
export type Replacements = Readonly<Record<string, Tensor>>;

/**
 * Paths through the pictures or the values of a tensor, and the class whose score is integrated
 * along them.
 */
export interface PathIntegralRequest extends RunOptions {
  /** Where the paths end: pictures [n, C, H, W], or values u [n, …] of the tensor `at`. */
  batch: Tensor;
  /** Where they start, r, in the same shape. */
  reference: Tensor;
  /**
   * The tensor of the network that the paths lead through. Only the part of the network after it is
   * run.
   */
  at?: string;
  /** The points α of each path. */
  points: readonly number[];
  target: TargetScore;
  /** `logit` by default. */
  score?: ScoreKind;
}

interface ActivationOptions extends RunOptions {
  /** Name of the tensor that `batch` contains, if it is not images. */
  at?: string;
  /** As in `GradientRequest`. */
  replace?: Replacements;
}

/** Scores and their gradients. The first axis of every tensor is the batch. */
export interface Gradients {
  /** Score of each row's class, or its weighted sum of scores, [n]. */
  readonly scores: Tensor;
  /** The gradient by each tensor of `wrt`, in its shape. */
  readonly gradients: readonly Tensor[];
  /** The tensors of `wrt` themselves. */
  readonly values: readonly Tensor[];
}

/** Forward and backward passes of the model, counted in pictures. */
export interface ModelCalls {
  readonly forward: number;
  readonly backward: number;
}

/**
 * How a tensor holds the cells of the picture: [n, channels, height, width], [n, height, width,
 * channels], or tokens [n, prefix + height · width, channels].
 */
export interface MapLayout {
  readonly layout: 'channels-first' | 'channels-last' | 'tokens';
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Number of tokens (class, distillation, registers) before the grid. */
  readonly prefix: number;
}

/** A tensor of the network that is a spatial feature map. */
export interface FeatureMap extends MapLayout {
  readonly name: string;
}

/** The index of channel `c` of cell `cell` among the values of one picture. */
export function offsetOf(
  { layout, prefix, channels, height, width }: MapLayout,
  c: number,
  cell: number,
): number {
  return layout === 'channels-first' ? c * height * width + cell : (prefix + cell) * channels + c;
}

/**
 * The attention of one block after its softmax: a tensor [n, heads, queries, keys], or [n, windows,
 * heads, queries, keys] if tokens attend within windows only.
 */
export interface AttentionMap {
  readonly name: string;
  readonly heads: number;
  /** 1 if every token attends to all tokens. */
  readonly windows: number;
  readonly queries: number;
  readonly keys: number;
  /**
   * Which tokens can still affect the scores after this block: all patch tokens (`patches`), and
   * single prefix tokens by index (`picked`; the class token is 0). After the last block of most
   * ViTs it is the class token only.
   */
  readonly readBy: { readonly patches: boolean; readonly picked: readonly number[] };
}

/** The bias of a layer: one number per channel, added to every cell of its output. */
export interface LayerBias {
  /** The tensor that the bias is part of. */
  readonly name: string;
  readonly bias: Float32Array;
}

/** The network of an ONNX model: its layers, inner tensors, gradients and weights. */
export interface ModelInside {
  /** The feature maps, one per spatial resolution (its last tensor), fine to coarse. */
  featureMaps(): readonly FeatureMap[];
  /** The attention maps of a transformer, block by block; none for other networks. */
  attentionMaps(): readonly AttentionMap[];
  /** The biases that layers add to maps and tokens, in order. */
  biases(): Promise<readonly LayerBias[]>;
  /**
   * Tensors of the network, by their names or those of their nodes, for a batch of pictures.
   * @throws FoveaError `model` for a tensor that does not exist.
   */
  activations(
    names: readonly string[],
    batch: Tensor,
    options?: ActivationOptions,
  ): Promise<Tensor[]>;
  /**
   * Gradients of class scores by the pictures or by tensors of the network.
   * @throws FoveaError `unsupported` naming the operator that cannot be differentiated, `model` for
   * a tensor that does not exist.
   */
  gradients(request: GradientRequest): Promise<Gradients>;
  /**
   * Integrated products of values and gradients along straight paths, [n, …]:
   *
   *   1 / K · sum_k v_k ⊙ dS/dv (v_k),   v_k = r + α_k (u - r)
   *
   * @throws FoveaError as `gradients` does.
   */
  pathIntegral(request: PathIntegralRequest): Promise<Tensor>;
  /** The types of the network's nodes, as ONNX spells them: `Conv`, `Relu`, … */
  operators(): ReadonlySet<string>;
  /** The names of the layers that hold learned weights, from the input to the scores. */
  weightLayers(): Promise<readonly string[]>;
  /**
   * A copy of the model with the weights of `layers` in random order, for sanity checks of methods.
   * The caller disposes of it.
   * @throws FoveaError `usage` for a layer that holds no weights.
   */
  randomized(layers: readonly string[], random: Random): Promise<Model>;
}

/** A classifier. Every model has `classify` and `perturb`; only some have `inside`. */
export interface Model {
  readonly name: string;
  /** One label per class; the class index as text if no labels are known. */
  readonly labels: readonly string[];
  readonly preprocessing: Preprocessing;
  /** The model's own output, before Fovea adds or removes a softmax. */
  readonly output: 'logits' | 'probabilities';
  /** SHA-256 of the model file; of a model without a file, a name that the caller chooses. */
  readonly fingerprint: string;
  /** Where the model runs, for manifests. */
  readonly runtime: string;
  /** Which device of the page runs the model, and why; only if the caller let Fovea choose. */
  readonly device?: DeviceReport;
  /**
   * Assumptions made when the model was loaded (missing labels, missing preprocessing, …), one
   * sentence each.
   */
  readonly warnings: readonly string[];
  /** The network of the model. Only ONNX models have it. */
  readonly inside?: ModelInside;

  /** Scores of a batch [n, C, H, W] -> [n, classes]. */
  classify(batch: Tensor, options?: ClassifyOptions): Promise<Tensor>;
  /** Scores of n perturbed copies of one picture -> [n, targets]. */
  perturb(request: PerturbRequest): Promise<Tensor>;
  /** Frees the sessions. */
  dispose(): Promise<void>;
  /** `dispose`, for `await using model = …`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The network of a model.
 * @throws FoveaError `unsupported` for a model that returns scores only.
 */
export function requireInside({ name, runtime, inside }: Model): ModelInside {
  if (inside) return inside;
  throw new FoveaError(
    'unsupported',
    `${name} (${runtime}) returns scores only, and this needs its network: use an ONNX model`,
  );
}
