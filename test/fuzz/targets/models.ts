import { readFileSync } from 'node:fs';
import { caseModel, readCases } from '../../../src/autodiff/fixtures/cases.ts';
import { deepLift, gradientModel, lrp } from '../../../src/autodiff/index.ts';
import { readModelFiles } from '../../../src/model/files/model-files.ts';
import { createOnnxModel } from '../../../src/model/onnx-model.ts';
import { smallModel } from '../../../src/onnx/fixtures/small-model.ts';
import {
  type Attribute,
  externalDataFiles,
  graphBuilder,
  inferShapes,
  modelOf,
  type Node,
  type OnnxModel,
  readModel,
  withGraph,
  writeModel,
} from '../../../src/onnx/index.ts';
import { createNodeRuntime } from '../../../src/runtime/onnxruntime-node.ts';
import type { Random } from '../../../src/tensor/random.ts';
import { tensor } from '../../../src/tensor/tensor.ts';
import { defineTarget } from '../engine.ts';
import { mutateBytes } from '../mutations/bytes.ts';
import { mutateJsonFile } from '../mutations/json.ts';
import { chance, HOSTILE_NUMBERS, HOSTILE_TEXTS, pick } from '../mutations/pick.ts';
import { createProtobufMutator } from '../mutations/protobuf.ts';

const FAMILIES = ['convolution', 'pooling', 'linalg', 'normalization', 'reduction', 'movement'];
const OTHERS = ['activation', 'elementwise', 'indexing', 'fused'];
const casesOf = (families: readonly string[]) => families.flatMap((family) => readCases(family));

const network = (name: string): Uint8Array =>
  new Uint8Array(
    readFileSync(new URL(`../../../src/autodiff/fixtures/networks/${name}.onnx`, import.meta.url)),
  );

const bounds = { epsilon: 0.1, gamma: 0.25, alpha: 2, low: [0], high: [1] };
const RULES = [
  undefined,
  deepLift,
  lrp({ ...bounds, first: 'gamma', convolution: 'gamma', dense: 'epsilon' }),
];

/** Everything that reads a model without running it. */
function readAll(bytes: Uint8Array): void {
  const model = readModel(bytes);
  externalDataFiles(model);
  inferShapes(model.graph);
  const [input] = model.graph.inputs;
  const [output] = model.graph.outputs;
  if (input && output) {
    const { name } = input;
    const rules = RULES[bytes.length % RULES.length];
    writeModel(gradientModel(model, { of: output.name, wrt: [name], rules, input: name }).model);
  }
  writeModel(model);
}

/** Whole ONNX files: operators one by one, and networks of exporters. */
const onnxFile = defineTarget<Uint8Array>({
  name: 'onnx-file',
  count: 1500,
  prepare() {
    const operators = casesOf([...FAMILIES, ...OTHERS]).map((item) =>
      writeModel(caseModel(item, item.opsets.at(-1) ?? 17, item.batch)),
    );
    const networks = ['mobilenet-v3', 'convnext', 'vit'].map(network);
    const mutators = [...operators, ...networks].map(createProtobufMutator);
    return { make: (random) => pick(random, mutators)(random), read: readAll };
  },
});

/** A node with inputs, operator or attributes changed. */
function mutatedNode(node: Node, random: Random): Node {
  if (chance(random, 0.2))
    return { ...node, inputs: node.inputs.slice(0, random.integer(node.inputs.length + 1)) };
  if (chance(random, 0.1)) return { ...node, opType: pick(random, ['Conv', 'Gemm', 'Split']) };
  if (chance(random, 0.1)) return { ...node, opType: pick(random, HOSTILE_TEXTS) };
  const changed = (attribute: Attribute): Attribute => {
    if (chance(random, 0.5)) return attribute;
    const hostile = () => Math.trunc(pick(random, HOSTILE_NUMBERS));
    if (attribute.type === 'int') return { type: 'int', value: hostile() };
    if (attribute.type === 'float') return { type: 'float', value: pick(random, HOSTILE_NUMBERS) };
    if (attribute.type === 'string') return { type: 'ints', value: [hostile()] };
    if (attribute.type !== 'ints') return attribute;
    return { type: 'ints', value: attribute.value.map(hostile) };
  };
  const attributes = new Map(
    [...node.attributes].map(([name, value]) => [name, changed(value)] as const),
  );
  return { ...node, attributes };
}

interface GraphInput {
  readonly broken: OnnxModel;
  readonly wrt: string;
  readonly rules: (typeof RULES)[number];
}

/** Graphs as a caller may build them: right as files, wrong as networks. */
const gradientGraph = defineTarget<GraphInput>({
  name: 'gradient-graph',
  count: 900,
  prepare() {
    const cases = casesOf(FAMILIES);
    return {
      make(random) {
        const item = pick(random, cases);
        const model = caseModel(item, item.opsets.at(-1) ?? 17, item.batch);
        const { graph } = model;
        const inputs = graph.inputs.map((input) => {
          const shape = input.shape?.map((dim) =>
            chance(random, 0.2) ? Math.trunc(pick(random, HOSTILE_NUMBERS)) : dim,
          );
          return { ...input, ...(shape && { shape }) };
        });
        const nodes = graph.nodes.map((node) => mutatedNode(node, random));
        const position = item.inputs.findIndex((input) => input?.differentiable);
        return {
          broken: withGraph(model, { ...graph, nodes, inputs }),
          wrt: `x${Math.max(0, position)}`,
          rules: pick(random, RULES),
        };
      },
      read: ({ broken, wrt, rules }) =>
        writeModel(gradientModel(broken, { of: 'y', wrt: [wrt], rules, input: wrt }).model),
    };
  },
});

/** A small classifier whose weights are in a separate file. */
function externalModel(): Uint8Array {
  const model = smallModel();
  const data = { kind: 'external', location: 'weights.bin', offset: 0, length: 432 } as const;
  const initializers = new Map(
    [...model.graph.initializers].map(([name, tensor]) => [
      name,
      name === 'conv.weight' ? { ...tensor, data } : tensor,
    ]),
  );
  return writeModel(withGraph(model, { ...model.graph, initializers }));
}

interface Folder {
  readonly model: Uint8Array;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

const OWN = {
  labels: ['a', 'b', 'c'],
  input: {
    size: [8, 8],
    mean: [0.5, 0.5, 0.5],
    std: [1, 1, 1],
    colour: 'RGB',
    scale: '0-1',
    resize: 'crop',
    shorterSide: 9,
    filter: 'bilinear',
  },
};
const HUGGING_FACE = {
  model_type: 'vit',
  problem_type: 'single_label_classification',
  id2label: { 0: 'a', 1: 'b' },
  label2id: { a: 0, b: 1 },
};
const PROCESSOR = {
  image_processor_type: 'ViTImageProcessor',
  do_resize: true,
  size: { height: 8, width: 8, shortest_edge: 9 },
  resample: 2,
  do_center_crop: true,
  crop_size: { height: 8, width: 8 },
  crop_pct: 0.9,
  do_rescale: true,
  rescale_factor: 0.00392156862745098,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};
const TIMM = {
  architecture: 'resnet18',
  label_names: ['n1', 'n2'],
  label_descriptions: { n1: 'tench', n2: 'goldfish' },
  pretrained_cfg: {
    input_size: [3, 8, 8],
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    interpolation: 'bicubic',
    crop_pct: 0.95,
    crop_mode: 'center',
    label_names: ['n1', 'n2'],
  },
};

/** The files beside a model: its own JSON file, those of Hugging Face and timm, weights. */
const modelFiles = defineTarget<Folder>({
  name: 'model-files',
  count: 600,
  prepare() {
    const models = [writeModel(smallModel()), externalModel()] as const;
    const external = createProtobufMutator(models[1]);
    const set = (random: Random): Folder['files'] => {
      const config = pick(random, [HUGGING_FACE, TIMM]);
      return {
        ...(chance(random, 0.3) && { 'net.json': mutateJsonFile(OWN, random) }),
        'config.json': mutateJsonFile(config, random),
        ...(chance(random, 0.6) && {
          'preprocessor_config.json': mutateJsonFile(PROCESSOR, random),
        }),
        'weights.bin': mutateBytes(new Uint8Array(432), random),
      };
    };
    return {
      make: (random) => ({
        model: chance(random, 0.3) ? external(random) : models[0],
        files: set(random),
      }),
      read: ({ model, files }) =>
        readModelFiles({
          name: 'net',
          file: 'net.onnx',
          bytes: model,
          isInOnnxFolder: false,
          read: async (path) => (Object.hasOwn(files, path) ? files[path] : undefined),
        }),
    };
  },
});

/** A classifier of 8 × 8 pixels with a weight of each kind that Fovea reads. */
function classifiers(): Uint8Array[] {
  const b = graphBuilder({ opset: 13 });
  const x = b.input('x', 'float32', ['n', 3, 8, 8]);
  const pooled = b.add('GlobalAveragePool', [b.add('Sigmoid', [x])]);
  const flat = b.add('Flatten', [pooled]);
  const weights = b.constant(
    Float32Array.from({ length: 12 }, (_, i) => i - 5),
    [3, 4],
  );
  b.output(b.add('Softmax', [b.add('MatMul', [flat, weights])]), 'float32', ['n', 4]);
  return [writeModel(smallModel()), writeModel(modelOf(b.finish()))];
}

/** Models that reach the runtime: opened, classified by, differentiated. */
const session = defineTarget<Uint8Array>({
  name: 'onnx-session',
  count: 120,
  async prepare() {
    const mutators = classifiers().map(createProtobufMutator);
    const runtime = await createNodeRuntime({ threads: 1 });
    const input = tensor([1, 3, 8, 8], new Float32Array(192).fill(0.5));
    return {
      make: (random) => pick(random, mutators)(random),
      async read(bytes) {
        const preprocessing = { size: [8, 8] as [number, number] };
        const model = await createOnnxModel({ name: 'net', bytes, preprocessing }, runtime);
        await model.classify(input);
        await model.inside?.gradients({ batch: input, wrt: ['input'], targets: [0] });
        await model.dispose();
      },
    };
  },
});

export const models = [onnxFile, gradientGraph, modelFiles, session];
