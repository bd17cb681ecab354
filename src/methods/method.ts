import type { Image } from '../image/image.ts';
import type { Json } from '../json.ts';
import type { BaselineName } from '../model/input/baseline.ts';
import type { Model, ScoreKind } from '../model/model.ts';
import type { Target } from '../model/target.ts';
import type { AnyOptions, OptionsSchema } from '../options.ts';
import { createRegistry } from '../registry.ts';
import type { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** The map of an anytime method after part of its work. */
export interface PartialMap {
  readonly target: Target;
  readonly map: Tensor;
  /** Model calls spent on it so far. */
  readonly calls: number;
  /** Facts about this step, e.g. IASSA's iteration, window and stride. */
  readonly detail: { readonly [key: string]: Json };
}

/** All that a method may use: it reads no global state, no clock and no other randomness. */
export interface MethodContext<Options> {
  /** Counts its calls and stops when the signal fires. */
  readonly model: Model;
  /** The preprocessed picture, [1, C, H, W]. */
  readonly input: Tensor;
  /** The picture itself; undefined if the caller gave a preprocessed tensor. */
  readonly image?: Image;
  /** At least one. */
  readonly targets: readonly Target[];
  readonly options: Options;
  readonly random: Random;
  readonly batchSize?: number;
  /** Share of the work done, 0 … 1. */
  progress(share: number): void;
  /**
   * An anytime method offers each intermediate map. If this returns true, the caller accepts the
   * map and the method ends there.
   */
  offer(partial: PartialMap): boolean;
  /** Loads another model by name, for methods that can use a second one. */
  loadModel(source: string): Promise<Model>;
  /**
   * Runs another method for one class with its default options, for methods that build on the map
   * of any other. Its model calls count as this method's.
   */
  attribute(method: Method, target: Target): Promise<Attribution>;
}

/** The map of one layer of the network, at its own resolution [h, w] and before any clipping. */
export interface LayerMap {
  readonly layer: string;
  readonly map: Tensor;
}

/**
 * What a method returns for one target: a raw signed map [H, W] at the input's resolution, and
 * facts about it.
 */
export interface Attribution {
  readonly map: Tensor;
  /** `false` if the options take the sign away from a method that is signed by default. */
  readonly signed?: false;
  /** Monte-Carlo standard error of the map, pixel by pixel, if the method samples. */
  readonly standardError?: Tensor;
  /**
   * The attribution of each channel, [C, H, W], if it is asked for (`reduce: 'none'`); `map` is
   * their sum.
   */
  readonly channels?: Tensor;
  /** The maps that `map` was upsampled from, if the method looks at layers. */
  readonly layers?: readonly LayerMap[];
  /**
   * The pixels that the method selects, [H, W], 1 inside and 0 outside: the top
   * superpixels of LIME and KernelSHAP.
   */
  readonly region?: Tensor;
  /** What the user should know about this result, one sentence each. */
  readonly warnings?: readonly string[];
  readonly extras?: { readonly [key: string]: Json };
}

/**
 * What a model offers. `black-box`: scores of pictures (`classify`, `perturb`). The others come
 * from its network, `inside`. `features`: feature maps and other inner tensors (`featureMaps`,
 * `activations`). `gradients`: gradients, path integrals and biases (`gradients`, `pathIntegral`,
 * `biases`). `attention`: attention maps (`attentionMaps`).
 */
export type Need = 'black-box' | 'features' | 'gradients' | 'attention';

/**
 * A saliency method: one object that the library, the command line and the docs read. Any object of
 * this form is a method, wherever it comes from.
 */
export interface Method<Input = AnyOptions, Output = AnyOptions> {
  /** Letters, digits and hyphens: names files, flags and columns. */
  readonly name: string;
  readonly title: string;
  /** `control`: a map that ignores the model or the picture, to compare others with. */
  readonly family: 'perturbation' | 'gradient' | 'attention' | 'control';
  /** Authors, venue, year, and an address if there is one. */
  readonly paper: string;
  /** What a model must offer for the default options to work. */
  readonly needs: readonly Need[];
  /** What the method takes advantage of if the model offers it; none if left out. */
  readonly uses?: readonly Need[];
  /** Whether negative values carry meaning (evidence against the class), by default options. */
  readonly signed: boolean;
  /** Model calls with default options, in words or a formula. */
  readonly cost: string;
  readonly options: OptionsSchema<Input, Output>;
  /**
   * For maps that sum to S(x) - S(baseline): which score and baseline that is under these options;
   * undefined for options whose maps do not.
   */
  completeness?(
    options: NoInfer<Output>,
  ): { readonly baseline: BaselineName; readonly score: ScoreKind } | undefined;
  /** One attribution per target, in order. */
  explain(context: MethodContext<Output>): Promise<Attribution[]>;
}

/** Declares a method: its context is typed by its options. */
export function defineMethod<Input extends AnyOptions, Output>(
  method: Method<Input, Output>,
): Method<Input, Output> {
  return method;
}

/**
 * The methods that are registered, by name. Importing `fovea`, `fovea/node` or `fovea/methods`
 * registers all of Fovea's; `fovea/web` registers none, so that a page ships only what it imports.
 */
export const methods = createRegistry<Method>('method');

/** Types of the registered methods by name. A program that registers its own can add to it. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by methods/index.ts and by users
export interface MethodMap {}

export type MethodName = keyof MethodMap;

/** What a caller may write as options of a method, given as an object or by name. */
export type MethodOptions<M> = M extends MethodName
  ? MethodOptions<MethodMap[M]>
  : M extends Method<infer Input, infer _>
    ? Input
    : never;
