import type { FoveaErrorCode } from '../errors.ts';
import type { ExplainOptions } from '../explain.ts';
import type { Explanation } from '../explanation.ts';
import type { Image } from '../image/image.ts';
import type { MethodName, Need, PartialMap } from '../methods/index.ts';
import type { Score } from '../metrics/metric.ts';
import type { BaselineName } from '../model/input/baseline.ts';
import type { Region } from '../model/input/preprocessing.ts';
import type { AttentionMap, FeatureMap, Model, ScoreKind } from '../model/model.ts';
import type { Perturbation } from '../model/perturbation.ts';
import type { OptionDescription } from '../option-words.ts';
import type { AnyOptions } from '../options.ts';
import type { DeviceReport } from '../runtime/device-report.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LoadModelOptions, ModelInput } from '../web/load-model.ts';

/** How the worker loads its model. */
interface LoadRequest {
  readonly source: ModelInput;
  /** What relative addresses are relative to: the page, not the worker's script. */
  readonly base?: string;
  readonly options: Omit<LoadModelOptions, 'onProgress' | 'signal'>;
  /** Why the model runs on WebAssembly, if its graphics device was lost too often. */
  readonly report?: DeviceReport;
}

/** A method that is registered in the worker, as data. */
export interface MethodSummary {
  readonly name: string;
  readonly title: string;
  readonly family: 'perturbation' | 'gradient' | 'attention' | 'control';
  readonly paper: string;
  readonly needs: readonly Need[];
  readonly signed: boolean;
  readonly cost: string;
  readonly options: readonly OptionDescription[];
  /** Why this model cannot run it; undefined if nothing speaks against it. */
  readonly obstacle?: string;
}

/** What a page needs to know of the model in the worker. */
export interface ModelSummary
  extends Pick<
    Model,
    | 'name'
    | 'labels'
    | 'preprocessing'
    | 'output'
    | 'fingerprint'
    | 'runtime'
    | 'device'
    | 'warnings'
  > {
  /** Feature maps, fine to coarse; none for a model that returns scores only. */
  readonly featureMaps: readonly FeatureMap[];
  readonly attentionMaps: readonly AttentionMap[];
  /** Layers with learned weights, from the input to the scores. */
  readonly weightLayers: readonly string[];
  readonly methods: readonly MethodSummary[];
  /** Threads of WebAssembly. */
  readonly threads: number;
}

/** The scores of a picture. */
export interface Classification {
  /** Probability of every class, [classes]. */
  readonly probabilities: Float32Array;
  /** Class indices, likeliest first. */
  readonly ranking: Uint32Array;
  /** The part of the picture that the model sees, in pixels of the picture. */
  readonly region: Region;
  /** sha256 of the picture's pixels, as manifests have it. */
  readonly sha256: string;
}

/** `ExplainOptions` without what cannot cross into a worker. */
export interface WorkerExplainOptions
  extends Omit<
    ExplainOptions<MethodName>,
    'loadModel' | 'signal' | 'onProgress' | 'onMap' | 'options'
  > {
  /** Options of the method; what is left out takes its default. */
  readonly options?: AnyOptions;
  /**
   * Explains a copy of the model whose last so many layers have their weights in random order; 0,
   * the model itself, by default.
   */
  readonly randomizedLayers?: number;
}

/** Altered copies of a picture. */
export interface WorkerPerturbRequest {
  readonly perturbation: Perturbation;
  /** What hidden pixels become; `zero` by default. */
  readonly baseline?: BaselineName;
  /** Class indices to score; all classes by default. */
  readonly targets?: readonly number[];
  /** `probability` by default. */
  readonly score?: ScoreKind;
  readonly batchSize?: number;
}

/** A map to score with a metric. */
export interface WorkerMeasureRequest {
  readonly map: Tensor;
  /** Class index. */
  readonly target: number;
  readonly preset?: string;
  readonly options?: AnyOptions;
  readonly seed?: number;
  /** The pixels of the object, [H · W], for metrics that compare with a mask. */
  readonly mask?: Uint8Array;
  /** How the map was made, for metrics that run the method again. */
  readonly made?: {
    readonly method: string;
    readonly options?: AnyOptions;
    readonly seed?: number;
  };
}

/** Tensors of the network for a picture, and the gradient of the logit of a class by each. */
export interface LayerGradients {
  readonly values: readonly Tensor[];
  readonly gradients: readonly Tensor[];
}

/** What the worker can be asked for: arguments and result of each call. */
export interface Calls {
  load: { args: [request: LoadRequest]; result: ModelSummary };
  classify: { args: [picture: PictureMessage]; result: Classification };
  explain: {
    /** `one`: whether the target may name one class only. */
    args: [picture: PictureMessage, options: WorkerExplainOptions, one: boolean];
    result: Explanation[];
  };
  perturb: { args: [picture: PictureMessage, request: WorkerPerturbRequest]; result: Tensor };
  measure: {
    args: [picture: PictureMessage, metric: string, request: WorkerMeasureRequest];
    result: Score;
  };
  activations: { args: [picture: PictureMessage, names: readonly string[]]; result: Tensor[] };
  gradients: {
    args: [picture: PictureMessage, names: readonly string[], target: number];
    result: LayerGradients;
  };
  superpixels: { args: [picture: PictureMessage, segments: number]; result: Int32Array };
}

export type CallName = keyof Calls;

/** A picture that the worker may have already; its pixels come with its first call. */
export interface PictureMessage {
  readonly id: number;
  readonly image?: Image;
  /** Pictures that are not needed any more. */
  readonly forget?: readonly number[];
}

/** From the page to the worker. */
export type Request =
  | { readonly kind: 'call'; readonly id: number; readonly name: CallName; readonly args: unknown }
  | { readonly kind: 'cancel' | 'accept'; readonly id: number };

/** From the worker to the page. */
export type Reply =
  | { readonly kind: 'progress'; readonly id: number; readonly share: number }
  | { readonly kind: 'map'; readonly id: number; readonly partial: PartialMap }
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | {
      readonly kind: 'error';
      readonly id: number;
      readonly code: FoveaErrorCode;
      readonly message: string;
    };
