import type { Json } from './json.ts';
import type { LayerMap } from './methods/method.ts';
import type { Preprocessing, Region } from './model/input/preprocessing.ts';
import type { ModelCalls } from './model/model.ts';
import type { Target } from './model/target.ts';
import type { Tensor } from './tensor/tensor.ts';

/**
 * Everything needed to make a map again. The same request gives the same manifest, byte for byte.
 */
export interface Manifest {
  readonly fovea: string;
  readonly method: string;
  /** Every option with its value, given or default. */
  readonly options: { readonly [key: string]: Json };
  readonly seed: number;
  /** Whether negative values of the map are evidence against the class, under these options. */
  readonly signed: boolean;
  readonly target: Target;
  readonly model: {
    readonly name: string;
    readonly fingerprint: string;
    readonly output: 'logits' | 'probabilities';
    readonly runtime: string;
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
   * Mean over the pixels of the Monte-Carlo standard error of the map, where the method samples.
   */
  readonly standardError?: number;
  readonly warnings: readonly string[];
  readonly extras: { readonly [key: string]: Json };
}

/** One method's answer for one class of one picture. */
export interface Explanation {
  /** Raw, signed float32 map [H, W] at the model's input resolution; never rescaled for display. */
  readonly map: Tensor;
  /** Whether negative values of the map are evidence against the class. */
  readonly signed: boolean;
  readonly target: Target;
  readonly standardError?: Tensor;
  /**
   * The attribution of each channel of the input, [C, H, W], where the method was asked for it
   * (`reduce: 'none'`).
   */
  readonly channels?: Tensor;
  /**
   * The maps of the network's layers that `map` was made from, at their own resolution, where the
   * method looks at layers.
   */
  readonly layers?: readonly LayerMap[];
  /**
   * The pixels that the method names as its answer, [H, W], 1 inside and 0 outside, where it names
   * some: top superpixels.
   */
  readonly region?: Tensor;
  readonly manifest: Manifest;
  /** Wall-clock seconds; kept out of the manifest, which does not change between runs. */
  readonly seconds: number;
}
