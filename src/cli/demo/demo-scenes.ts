import { classNames, tagClass } from '../../demo/classes.ts';
import { createScene, type Scene, type Sprites } from '../../demo/scenes.ts';
import { FoveaError } from '../../errors.ts';
import { explain } from '../../explain.ts';
import type { Explanation } from '../../explanation.ts';
import type { Method } from '../../methods/method.ts';
import { metrics as metricRegistry } from '../../metrics/index.ts';
import type { Model } from '../../model/model.ts';
import { type PreparedInput, prepareInput } from '../../prepare-input.ts';
import { at } from '../../tensor/at.ts';
import { argmax } from '../../tensor/tensor.ts';

/** Seeds of the demo's scenes; training uses none of them. */
const FIRST_SEED = 77_000_000;

/** Options that differ from a method's defaults, so that the whole demo takes a few minutes. */
const OPTIONS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  rise: { N: 2000 },
  oise: { N: 2000 },
  sobol: { design: 16 },
  lima: { segments: 16 },
  phasewin: { segments: 16 },
  sag: { restarts: 0, successors: 8, maxSize: 8 },
  rex: { maxCalls: 600, sets: 1, setCalls: 40 },
  'blur-ig': { steps: 20 },
  'guided-ig': { steps: 50 },
};

/**
 * What is at the highest pixel of a map, or within 15 pixels of it (the tolerance of the pointing
 * game).
 */
type PeakPlace = 'object' | 'tag' | 'elsewhere';

/** One method's map of one scene, and its scores. */
export interface DemoMap {
  readonly method: Method;
  readonly explanation: Explanation;
  /** Column and row of the highest value, as shares of the side. */
  readonly peak: { readonly x: number; readonly y: number };
  readonly peakOn: PeakPlace;
  readonly f1: number;
  readonly iou: number;
}

/** A scene with the prediction of a model and its maps. */
export interface DemoScene {
  readonly scene: Scene;
  readonly prepared: PreparedInput;
  /** The most probable class and its probability. */
  readonly answer: { readonly label: string; readonly probability: number };
  readonly maps: readonly DemoMap[];
}

/** A scene with the sticker, explained for the honest model and for the cheating one. */
export interface TaggedScene {
  readonly honest: DemoScene;
  readonly cheat: DemoScene;
  /** The prediction of the cheating model for the same scene without the sticker. */
  readonly untagged: {
    readonly label: string;
    readonly probability: number;
    readonly tagClassProbability: number;
  };
}

/** Scenes of `count` different classes. */
export function demoScenes(sprites: Sprites, count: number): Scene[] {
  return Array.from({ length: count }, (_, i) =>
    createScene(sprites, FIRST_SEED + i, {
      className: classNames[(3 + 5 * i) % classNames.length],
    }),
  );
}

/**
 * Scenes of the class that the cheating model recognizes by its sticker: each with the sticker and
 * without.
 */
export function taggedScenes(
  sprites: Sprites,
  count: number,
): { tagged: Scene; untagged: Scene }[] {
  return Array.from({ length: count }, (_, i) => {
    const seed = FIRST_SEED + 1000 + i;
    return {
      tagged: createScene(sprites, seed, { className: tagClass, tag: 'always' }),
      untagged: createScene(sprites, seed, { className: tagClass }),
    };
  });
}

function answerOf(
  model: Model,
  { probabilities }: PreparedInput,
): { label: string; probability: number } {
  const index = argmax(probabilities);
  return { label: at(model.labels, index), probability: at(probabilities, index) };
}

async function scoreOf(
  metric: 'f1' | 'iou',
  explanation: Explanation,
  scene: Scene,
): Promise<number> {
  return (
    (await metricRegistry.get(metric).score({ map: explanation.map, mask: scene.mask })).value ?? 0
  );
}

async function pointsAt({ map }: Explanation, mask: Uint8Array): Promise<boolean> {
  return (
    (await metricRegistry.get('pointing-game').score({ map, mask, preset: 'torchray' })).value === 1
  );
}

async function explainWith(
  model: Model,
  method: Method,
  scene: Scene,
  prepared: PreparedInput,
): Promise<DemoMap> {
  const explanation = await explain(model, prepared, {
    method,
    options: OPTIONS[method.name],
    target: scene.label,
    seed: 0,
  });
  const [height, width] = [at(explanation.map.shape, 0), at(explanation.map.shape, 1)];
  const top = argmax(explanation.map.data);
  const peak = { x: ((top % width) + 0.5) / width, y: (Math.floor(top / width) + 0.5) / height };
  const { tag } = scene;
  const peakOn =
    tag && (await pointsAt(explanation, tag.mask))
      ? 'tag'
      : (await pointsAt(explanation, scene.mask))
        ? 'object'
        : 'elsewhere';
  return {
    method,
    explanation,
    peak,
    peakOn,
    f1: await scoreOf('f1', explanation, scene),
    iou: await scoreOf('iou', explanation, scene),
  };
}

/**
 * Explains the scene's own class with each method that the model supports: methods that use
 * attention need a transformer.
 */
export async function explainScene(
  model: Model,
  scene: Scene,
  methods: readonly Method[],
  onMap: () => void,
): Promise<DemoScene> {
  const prepared = await prepareInput(model, scene.image);
  const maps: DemoMap[] = [];
  for (const method of methods) {
    try {
      maps.push(await explainWith(model, method, scene, prepared));
    } catch (error) {
      if (!(error instanceof FoveaError && error.code === 'unsupported')) throw error;
    }
    onMap();
  }
  return { scene, prepared, answer: answerOf(model, prepared), maps };
}

/** The prediction of a model for a scene, with the probability of the sticker's class. */
export async function askUntagged(model: Model, scene: Scene): Promise<TaggedScene['untagged']> {
  const prepared = await prepareInput(model, scene.image);
  return {
    ...answerOf(model, prepared),
    tagClassProbability: at(prepared.probabilities, classNames.indexOf(tagClass)),
  };
}
