import type { Sufficiency } from './checks/sufficiency.ts';
import type { Json } from './json.ts';
import type { LayerMap } from './methods/method.ts';
import type { Preprocessing, Region } from './model/input/preprocessing.ts';
import type { Model, ModelCalls } from './model/model.ts';
import type { Target } from './model/target.ts';
import type { Tensor } from './tensor/tensor.ts';

/**
 * Everything that is needed to compute a map again. Equal requests have equal manifests, byte for
 * byte.
 */
export interface Manifest {
  readonly fovea: string;
  readonly method: string;
  /** Every option with its value, given or default. */
  readonly options: { readonly [key: string]: Json };
  readonly seed: number;
  /** The most model calls that the caller allowed; only if the caller gave a budget. */
  readonly budget?: number;
  /** Whether negative values of the map are evidence against the class, under these options. */
  readonly signed: boolean;
  readonly target: Target;
  readonly model: {
    readonly name: string;
    readonly fingerprint: string;
    readonly output: 'logits' | 'probabilities';
    readonly runtime: string;
    /** Which device of the page ran the model, and why; only if the caller let Fovea choose. */
    readonly device?: Model['device'];
  };
  readonly image: {
    readonly name: string;
    readonly sha256: string;
    readonly width: number;
    readonly height: number;
    /** The part of the picture that the model saw and the map covers, in pixels of the picture. */
    readonly region: Region;
  };
  readonly preprocessing: Preprocessing;
  readonly modelCalls: ModelCalls;
  /**
   * The Monte-Carlo standard error of the map, as mean over the pixels; only for methods that
   * sample.
   */
  readonly standardError?: number;
  readonly warnings: readonly string[];
  readonly extras: { readonly [key: string]: Json };
  /** What `checkSufficiency` found for the map; only if the caller checked it (`--check`). */
  readonly checks?: Sufficiency;
}

/** The result of one method for one class of one picture. */
export interface Explanation {
  /** The raw float32 map [H, W] at the model's input resolution; not rescaled for display. */
  readonly map: Tensor;
  /** Whether negative values of the map are evidence against the class. */
  readonly signed: boolean;
  readonly target: Target;
  readonly standardError?: Tensor;
  /** The attribution of each channel of the input, [C, H, W]; only with `reduce: 'none'`. */
  readonly channels?: Tensor;
  /**
   * The maps of the network's layers that `map` was made from, at their own resolution; only for
   * methods that use layers.
   */
  readonly layers?: readonly LayerMap[];
  /**
   * The region that the method selects, [H, W], 1 inside and 0 outside, such as the top superpixels
   * of LIME; only for methods that select one.
   */
  readonly region?: Tensor;
  readonly manifest: Manifest;
  /** Wall-clock seconds. They are not in the manifest, because they change from run to run. */
  readonly seconds: number;
}
