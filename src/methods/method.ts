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
  /** Standard error of every pixel of the map so far, [H, W], if the method knows it. */
  readonly standardError?: Tensor;
  /** The number of model calls (forward passes) that the method has made so far. */
  readonly calls: number;
  /** Facts about this step, e.g. IASSA's iteration, window and stride. */
  readonly detail: { readonly [key: string]: Json };
}

/** An intermediate map as a method offers it. `explain` counts the calls itself. */
export type OfferedMap = Omit<PartialMap, 'calls'>;

/** The size of one request: the picture [height, width] and the number of classes. */
export interface RequestSize {
  readonly height: number;
  readonly width: number;
  readonly targets: number;
}

/**
 * Everything that a method may use. A method must not read global state, a clock or other random
 * numbers.
 */
export interface MethodContext<Options> {
  /** The model that is explained. It counts calls, and rejects when the signal fires. */
  readonly model: Model;
  /** The preprocessed picture, [1, C, H, W]. */
  readonly input: Tensor;
  /** The picture itself; undefined if the caller passed a preprocessed tensor. */
  readonly image?: Image;
  /** The classes to explain, at least one. */
  readonly targets: readonly Target[];
  readonly options: Options;
  readonly random: Random;
  readonly batchSize?: number;
  /** The number of model calls (forward passes) so far. */
  calls(): number;
  /** Reports the share of the work that is done, 0 … 1. */
  progress(share: number): void;
  /**
   * An anytime method passes each intermediate map to this function. If it returns true, the caller
   * accepts the map, and the method must end.
   */
  offer(partial: OfferedMap): boolean;
  /** Loads another model by name, for methods that can use a second one. */
  loadModel(source: string): Promise<Model>;
  /**
   * Runs another method for one class with its default options, for methods that use the map of
   * another method. Its model calls are counted for this method.
   */
  attribute(method: Method, target: Target): Promise<Attribution>;
}

/**
 * The map of one layer of the network, at the resolution of the layer [h, w] and before negative
 * values are clipped.
 */
export interface LayerMap {
  readonly layer: string;
  readonly map: Tensor;
}

/**
 * The result of a method for one target: a raw map [H, W] at the resolution of the input, and facts
 * about it.
 */
export interface Attribution {
  readonly map: Tensor;
  /** `false` if the method is signed by default, but its map is not signed with these options. */
  readonly signed?: false;
  /** Monte-Carlo standard error of each pixel of the map, [H, W], if the method draws samples. */
  readonly standardError?: Tensor;
  /**
   * The attribution of each channel, [C, H, W], for the option `reduce: 'none'`. `map` is their
   * sum.
   */
  readonly channels?: Tensor;
  /** The layer maps that were upsampled to `map`, if the method uses layers. */
  readonly layers?: readonly LayerMap[];
  /**
   * The pixels that the method selects, [H, W]: 1 inside, 0 outside. LIME and KernelSHAP select
   * their top superpixels.
   */
  readonly region?: Tensor;
  /** Warnings about this result for the user, one sentence each. */
  readonly warnings?: readonly string[];
  readonly extras?: { readonly [key: string]: Json };
}

/**
 * A capability of a model. `black-box`: scores of pictures (`classify`, `perturb`). The other
 * capabilities come from the network, `model.inside`. `features`: feature maps and other inner
 * tensors (`featureMaps`, `activations`). `gradients`: gradients, path integrals and biases
 * (`gradients`, `pathIntegral`, `biases`). `attention`: attention maps (`attentionMaps`).
 */
export type Need = 'black-box' | 'features' | 'gradients' | 'attention';

/**
 * A saliency method. The library, the command line and the docs read this one object. Any object of
 * this form is a method, wherever it comes from.
 */
export interface Method<Input = AnyOptions, Output = AnyOptions> {
  /** Letters, digits and hyphens. The name appears in file names, flags and columns. */
  readonly name: string;
  readonly title: string;
  /** `control`: a map that ignores the model or the picture. Other methods are compared with it. */
  readonly family: 'perturbation' | 'gradient' | 'attention' | 'control';
  /** Authors, title, venue and year, and an address if there is one. */
  readonly paper: string;
  /** What a model must offer for the default options to work. */
  readonly needs: readonly Need[];
  /** What the method uses if the model offers it; nothing if not given. */
  readonly uses?: readonly Need[];
  /** Whether negative values mean evidence against the class, with default options. */
  readonly signed: boolean;
  /** The number of model calls with default options, in words or as a formula. */
  readonly cost: string;
  readonly options: OptionsSchema<Input, Output>;
  /**
   * For methods whose options set the number of model calls: returns the options with which the
   * method makes at most `budget` calls (forward passes) for all classes together. Options that
   * need fewer calls stay as they are.
   * @throws FoveaError `usage` if no options keep the budget. The message says how many calls the
   * method needs at least.
   */
  withBudget?(options: NoInfer<Output>, budget: number, size: RequestSize): Output;
  /**
   * For methods whose maps sum to S(x) - S(baseline): returns the score S and the baseline for
   * these options, or undefined if the maps do not have this sum with these options.
   */
  completeness?(
    options: NoInfer<Output>,
  ): { readonly baseline: BaselineName; readonly score: ScoreKind } | undefined;
  /** Explains the picture. Returns one attribution per target, in the order of the targets. */
  explain(context: MethodContext<Output>): Promise<Attribution[]>;
}

/**
 * Declares a method. The context of `explain` gets the type of the options. Returns the method
 * itself.
 */
export function defineMethod<Input extends AnyOptions, Output>(
  method: Method<Input, Output>,
): Method<Input, Output> {
  return method;
}

/**
 * The registered methods, by name. Importing `fovea`, `fovea/node` or `fovea/methods` registers all
 * methods of Fovea. `fovea/web` registers none, so that a page ships only what it imports.
 */
export const methods = createRegistry<Method>('method');

/**
 * The types of the registered methods, by name. A program that registers a method can add its type.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by methods/index.ts and by users
export interface MethodMap {}

export type MethodName = keyof MethodMap;

/**
 * The type of the options that a caller may pass to a method. `M` is a method or the name of one.
 */
export type MethodOptions<M> = M extends MethodName
  ? MethodOptions<MethodMap[M]>
  : M extends Method<infer Input, infer _>
    ? Input
    : never;
