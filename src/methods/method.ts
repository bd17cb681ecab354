import type { z } from 'zod';
import type { Image } from '../image/image.ts';
import type { Json } from '../json.ts';
import type { BaselineName } from '../model/input/baseline.ts';
import type { Model, ScoreKind } from '../model/model.ts';
import type { Target } from '../model/target.ts';
import type { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** A map as it stands after part of the work: what an anytime method would answer now. */
export interface PartialMap {
  readonly target: Target;
  readonly map: Tensor;
  /** Model calls spent on it so far. */
  readonly calls: number;
  /** What the method says about this step, e.g. IASSA's iteration, window and stride. */
  readonly detail: { readonly [key: string]: Json };
}

/** All that a method may use. Nothing else: no global state, no clock, no other randomness. */
export interface MethodContext<Options> {
  /** Counts its calls and stops when the signal fires. */
  readonly model: Model;
  /** The preprocessed picture, [1, C, H, W]. */
  readonly input: Tensor;
  /** The picture itself, where the caller gave one and not a ready tensor. */
  readonly image?: Image;
  /** At least one. */
  readonly targets: readonly Target[];
  readonly options: Options;
  readonly random: Random;
  readonly batchSize?: number;
  /** Share of the work done, 0 … 1. */
  progress(share: number): void;
  /**
   * An anytime method offers each intermediate map; the caller answers true when content, and the
   * method ends there.
   */
  offer(partial: PartialMap): boolean;
  /** Loads another model by name, for methods that can use a second one. */
  loadModel(source: string): Promise<Model>;
  /**
   * What another method answers for one class, with its default options: for methods that build on
   * the map of any other.
   */
  attribute(method: string, target: Target): Promise<Attribution>;
}

/** The map of one layer of the network, at its own resolution [h, w] and before any clipping. */
export interface LayerMap {
  readonly layer: string;
  readonly map: Tensor;
}

/**
 * What a method answers for one target: a raw signed map [H, W] at the input's resolution, and what
 * it has to say.
 */
export interface Attribution {
  readonly map: Tensor;
  /** Monte-Carlo standard error of the map, pixel by pixel, where the method samples. */
  readonly standardError?: Tensor;
  /**
   * The attribution of each channel, [C, H, W], where it is asked for (`reduce: 'none'`); `map` is
   * their sum.
   */
  readonly channels?: Tensor;
  /** The maps that `map` was upsampled from, where the method looks at layers. */
  readonly layers?: readonly LayerMap[];
  /**
   * The pixels that the method names as its answer, [H, W], 1 inside and 0 outside: the top
   * superpixels of LIME and KernelSHAP.
   */
  readonly region?: Tensor;
  /** What the user should know about this result, one sentence each. */
  readonly warnings?: readonly string[];
  readonly extras?: { readonly [key: string]: Json };
}

export type Need = 'black-box' | 'features' | 'gradients' | 'attention';

/**
 * A saliency method: one object that the library, the command line, the studio and the docs all
 * read.
 */
export interface Method<Schema extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly family: 'perturbation' | 'gradient' | 'attention' | 'control';
  /** Authors, venue, year, and an address where there is one. */
  readonly paper: string;
  readonly needs: readonly Need[];
  /** Whether negative values carry meaning (evidence against the class). */
  readonly signed: boolean;
  /** Model calls with default options, in words or a formula. */
  readonly cost: string;
  readonly options: Schema;
  /**
   * For maps that sum to S(x) - S(baseline): which score and baseline that is under these options;
   * undefined where they make a map that does not.
   */
  completeness?(
    options: z.output<Schema>,
  ): { readonly baseline: BaselineName; readonly score: ScoreKind } | undefined;
  /** One attribution a target, in order. */
  explain(context: MethodContext<z.output<Schema>>): Promise<Attribution[]>;
}

/** Declares a method; exists so that options are typed from their schema. */
export function defineMethod<Schema extends z.ZodObject>(method: Method<Schema>): Method<Schema> {
  return method;
}
