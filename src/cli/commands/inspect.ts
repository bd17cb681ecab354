import { FoveaError } from '../../errors.ts';
import { channelsOf, type Preprocessing } from '../../model/input/preprocessing.ts';
import { type FeatureMap, INPUT, type Model } from '../../model/model.ts';
import { nearestNames } from '../../near-names.ts';
import { resolveModel } from '../../node/load-model.ts';
import {
  dataInputs,
  elementCount,
  type OnnxModel,
  readModel,
  type ValueInfo,
} from '../../onnx/index.ts';
import type { Device } from '../../runtime/runtime.ts';
import { tensor } from '../../tensor/tensor.ts';
import {
  createOutput,
  EXIT,
  formatCount,
  type Output,
  terminalWidth,
  wrapText,
} from '../output.ts';
import { openModel } from '../session.ts';
import { type Cell, formatTable, shortLabel } from '../table.ts';

/** The options of `fovea inspect`. */
export interface InspectFlags {
  /** The classes are listed: all of them (`true`), or those whose label contains a text. */
  readonly classes?: true | string;
  readonly device: Device;
  readonly offline?: boolean;
  readonly json?: boolean;
}

interface TensorDescription {
  readonly name: string;
  readonly type: string | null;
  readonly shape: readonly (number | string | null)[] | null;
}

const describeTensor = ({ name, type, shape }: ValueInfo): TensorDescription => ({
  name,
  type,
  shape,
});

/** The description of a model file. */
export function describeFile(model: OnnxModel) {
  const { graph } = model;
  const operators = new Map<string, number>();
  for (const { domain, opType } of graph.nodes) {
    const name = domain === '' ? opType : `${domain}.${opType}`;
    operators.set(name, (operators.get(name) ?? 0) + 1);
  }
  const weights = [...graph.initializers.values()].reduce(
    (sum, initializer) => sum + elementCount(initializer),
    0,
  );
  return {
    inputs: dataInputs(graph).map(describeTensor),
    outputs: graph.outputs.map(describeTensor),
    opset: Object.fromEntries(
      [...graph.opset].map(([domain, version]) => [domain === '' ? 'ai.onnx' : domain, version]),
    ),
    irVersion: model.irVersion,
    producer: [model.producerName, model.producerVersion].filter((part) => part !== '').join(' '),
    parameters: weights,
    operators: Object.fromEntries(
      [...operators].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)),
    ),
  };
}

type FileDescription = ReturnType<typeof describeFile>;

/** Whether the scores can be differentiated with respect to the picture; if not, the reason. */
export type Differentiability =
  | { readonly differentiable: true }
  | { readonly differentiable: false; readonly reason: string };

/** Tests it by running the model forward and backward on an empty picture. */
export async function differentiability(
  model: Model,
  signal: AbortSignal,
): Promise<Differentiability> {
  if (!model.inside)
    return { differentiable: false, reason: `${model.runtime} returns scores only` };
  const { preprocessing, output } = model;
  const batch = tensor([1, channelsOf(preprocessing), ...preprocessing.size]);
  try {
    await model.inside.gradients({
      batch,
      wrt: [INPUT],
      targets: [0],
      score: output === 'logits' ? 'logit' : 'probability',
      signal,
    });
    return { differentiable: true };
  } catch (error) {
    if (!(error instanceof FoveaError) || error.code === 'cancelled' || error.code === 'internal')
      throw error;
    return { differentiable: false, reason: error.message };
  }
}

function describeModel(
  { name, fingerprint, runtime, output, labels, preprocessing, warnings, inside }: Model,
  gradients: Differentiability,
) {
  const maps = {
    featureMaps: inside?.featureMaps() ?? null,
    attentionMaps: inside?.attentionMaps() ?? null,
  };
  return {
    name,
    fingerprint,
    runtime,
    output,
    classes: labels.length,
    labels,
    preprocessing,
    warnings,
    ...gradients,
    ...maps,
  };
}

const shapeText = ({ name, type, shape }: TensorDescription): string =>
  `${name}: ${type ?? 'unknown type'} ` +
  `${shape ? `[${shape.map((dim) => dim ?? '?').join(', ')}]` : 'of unknown shape'}`;

/** Preprocessing in words. */
export function preprocessingText(preprocessing: Preprocessing): string {
  const {
    size,
    mean,
    std,
    colour,
    scale,
    resize,
    shorterSide = Math.min(...size),
    stretchedSize,
    filter,
  } = preprocessing;
  const before = stretchedSize
    ? `stretched to ${stretchedSize.join('×')}`
    : `shorter side to ${shorterSide}`;
  const how = resize === 'stretch' ? 'stretched' : `${before}, centre crop`;
  const channels = channelsOf(preprocessing) === 1 ? 'grey' : colour;
  return (
    `${size[0]}×${size[1]} ${channels}, ${how} (${filter}); ` +
    `(pixel${scale === '0-1' ? ' / 255' : ''} - mean) / std, mean ${mean.join(', ')}, std ` +
    `${std.join(', ')}`
  );
}

type Fact = readonly [name: string, value: string];

function modelFacts(model: Model, gradients: Differentiability): Fact[] {
  const some = model.labels.slice(0, 5).map(shortLabel);
  return [
    ['fingerprint', model.fingerprint],
    ['runs on', model.runtime],
    [
      'classes',
      `${formatCount(model.labels.length)}: ` +
        `${some.join(', ')}${model.labels.length > some.length ? ', …' : ''}`,
    ],
    ['output', model.output],
    ['preprocessing', preprocessingText(model.preprocessing)],
    ['gradients', gradients.differentiable ? 'yes' : `no: ${gradients.reason}`],
  ];
}

function fileFacts(file: FileDescription): Fact[] {
  return [
    ['inputs', file.inputs.map(shapeText).join('; ')],
    ['outputs', file.outputs.map(shapeText).join('; ')],
    [
      'opset',
      Object.entries(file.opset)
        .map(([domain, version]) => `${domain} ${version}`)
        .join(', '),
    ],
    ['made by', `${file.producer || 'unknown'} (IR version ${file.irVersion})`],
    ['parameters', formatCount(file.parameters)],
    [
      'operators',
      Object.entries(file.operators)
        .map(([name, count]) => `${name} ${count}`)
        .join(', '),
    ],
  ];
}

/** The layout of a feature map, in words. */
function layoutText({ layout, prefix }: FeatureMap): string {
  if (layout !== 'tokens') return layout.replace('-', ' ');
  return prefix === 0 ? 'tokens' : `tokens after ${prefix} other${prefix === 1 ? '' : 's'}`;
}

/** The table of the attention maps of a transformer. */
function attentionText(model: Model): string {
  const maps = model.inside?.attentionMaps() ?? [];
  if (maps.length === 0) return '';
  const rows = maps.map(({ name, heads, windows, queries, keys }): Cell[] => [
    name,
    heads,
    windows,
    `${queries}×${keys}`,
  ]);
  return `\n\nAttention maps:\n\n${formatTable(['tensor', 'heads', 'windows', 'tokens'], rows)}`;
}

function asText(
  model: Model,
  gradients: Differentiability,
  file: FileDescription | undefined,
): string {
  const rows = [
    ...modelFacts(model, gradients),
    ...(file ? fileFacts(file) : []),
    ...model.warnings.map((warning): Fact => ['warning', warning]),
  ];
  const column = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.map(
    ([name, value]) =>
      `${name.padEnd(column)}${wrapText(value, terminalWidth(), ' '.repeat(column)).trimStart()}`,
  );
  const maps = model.inside?.featureMaps() ?? [];
  const table =
    maps.length > 0
      ? `\n\nFeature maps, fine to coarse:\n\n${formatTable(
          ['tensor', 'channels', 'height', 'width', 'layout'],
          maps.map((map) => [map.name, map.channels, map.height, map.width, layoutText(map)]),
        )}`
      : '';
  return `${model.name}\n\n${lines.join('\n')}${table}${attentionText(model)}`;
}

/** The description of a model's file; undefined for a model on a server. */
async function fileOf(
  source: string,
  { offline }: InspectFlags,
  signal: AbortSignal,
): Promise<FileDescription | undefined> {
  try {
    const { bytes } = await resolveModel(source, { offline, signal });
    return describeFile(readModel(bytes));
  } catch (error) {
    if (error instanceof FoveaError && error.code === 'unsupported') return undefined;
    throw error;
  }
}

/**
 * The classes of a model whose label contains a text, in any case; all of them without a text.
 * @throws FoveaError `usage` if no label contains it, with the nearest labels.
 */
export function classesOf(
  { name, labels }: Pick<Model, 'name' | 'labels'>,
  text = '',
): { readonly index: number; readonly label: string }[] {
  const wanted = text.trim().toLowerCase();
  const found = labels
    .map((label, index) => ({ index, label }))
    .filter(({ label }) => label.toLowerCase().includes(wanted));
  if (found.length > 0) return found;
  throw new FoveaError(
    'usage',
    `no class of ${name} contains "${text}".${nearestNames(text, labels.map(shortLabel))}`,
  );
}

/** Prints the classes of a model. */
function listClasses(model: Model, { classes }: InspectFlags, output: Output): void {
  const found = classesOf(model, classes === true ? undefined : classes);
  output.document(found);
  const rows = found.map(({ index, label }): Cell[] => [index, label]);
  output.print(formatTable(['class', 'label'], rows));
}

/** `fovea inspect`. Returns the exit code. */
export async function inspectCommand(
  [source = '']: readonly string[],
  flags: InspectFlags,
  signal: AbortSignal,
): Promise<number> {
  const output = createOutput({ json: flags.json });
  const { model } = await openModel(
    { ...flags, model: source },
    { ...output, note: () => {} },
    signal,
  );
  try {
    if (flags.classes !== undefined) {
      listClasses(model, flags, output);
      return EXIT.done;
    }
    const file = await fileOf(source, flags, signal);
    const gradients = await differentiability(model, signal);
    if (flags.json) output.document({ ...describeModel(model, gradients), ...file });
    else output.print(asText(model, gradients, file));
    return EXIT.done;
  } finally {
    await model.dispose();
  }
}
