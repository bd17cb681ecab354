import { STATEMENTS } from '../checks/statements.ts';
import { DEVICES } from '../runtime/runtime.ts';
import { collect, integerFrom, names, namesOf, numberFrom, oneOf } from './parsers.ts';
import type { ArgumentSpec, OptionSpec } from './spec.ts';

/** The kinds of files that a map is written as. */
export const FORMATS = ['npy', 'png', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/** Pictures to explain. */
export const images: ArgumentSpec = {
  name: '<image...>',
  description:
    'pictures, folders of pictures, glob patterns, or .npy files with a preprocessed 1×C×H×W input',
};

export const methods: OptionSpec = {
  flags: '--methods <names>',
  description: 'methods, separated by commas (list them with: fovea methods) (default: iassa)',
  parse: names,
  aliases: ['--method <names>'],
};

export const target: OptionSpec = {
  flags: '-t, --target <class>',
  description:
    'class to explain: top1, top:N, a class index or a label; may be given several times ' +
    '(default: top1)',
  parse: collect,
};

export const against: OptionSpec = {
  flags: '--against <class>',
  description:
    'explain why the target and not this class: an index, a label, or top:N for the N most ' +
    'probable other classes; may be given several times',
  parse: collect,
};

export const check: OptionSpec = {
  flags: '--check <statements>',
  description:
    'test statements about each map by showing and hiding parts of the picture, with up to 60 ' +
    `model calls each: ${STATEMENTS.join(', ')}, separated by commas`,
  parse: namesOf(STATEMENTS),
};

export const set: OptionSpec = {
  flags: '--set <name.option=value>',
  description: 'an option of a method; may be given several times',
  parse: collect,
};

export const seed: OptionSpec = {
  flags: '--seed <n>',
  description: 'seed of all randomness',
  parse: integerFrom(0, 2 ** 32 - 1),
  default: 0,
};

export const batchSize: OptionSpec = {
  flags: '--batch-size <n>',
  description:
    'pictures per model call; it changes results by rounding errors only (default: as memory ' +
    'allows)',
  parse: integerFrom(1),
};

export const plugin: OptionSpec = {
  flags: '--plugin <file>',
  description:
    'a module (.js) with your own methods, metrics, data sets, color maps or rule sets; may be ' +
    'given several times',
  parse: collect,
};

/** The names and kinds of models that commands take. */
export const MODEL =
  'demo-cnn, demo-cnn-biased or demo-vit (built in; they know 32 kinds of toy objects), an .onnx ' +
  'file, a folder in Hugging Face layout, a hub id (OWNER/NAME), or the http(s) address of an ' +
  'Open Inference Protocol model';

export const model: OptionSpec = {
  flags: '-m, --model <model>',
  description: `${MODEL} (default: demo-cnn)`,
  group: 'Model:',
};

export const device: OptionSpec = {
  flags: '--device <device>',
  description: `where the model runs: ${DEVICES.join(', ')}`,
  parse: oneOf(DEVICES),
  default: 'cpu',
};

export const offline: OptionSpec = {
  flags: '--offline',
  description: 'use only files on this machine: no downloads',
};

/** How a model is loaded. */
export const modelOptions: readonly OptionSpec[] = [
  model,
  {
    flags: '--labels <file>',
    description: 'names of the classes: one per line, or JSON',
  },
  {
    flags: '--preprocess <key=value>',
    description:
      'replaces parts of the preprocessing, as in --preprocess resize=crop mean=[0.5,0.5,0.5]: ' +
      'size, mean, std, color, scale, resize, shorterSide, filter',
    parse: collect,
    gathers: /^[a-z]+=/i,
  },
  device,
  {
    flags: '--threads <n>',
    description: 'threads of the CPU to use (default: one per core)',
    parse: integerFrom(1, 1024),
  },
  {
    flags: '--budget <n>',
    description:
      'the most pictures that the command lets the model score (default: no limit); methods that ' +
      'draw samples draw as many as fit, the same number for each map',
    parse: integerFrom(1),
  },
  {
    flags: '--request-cache <folder>',
    description:
      'keep the responses of a model on a server there, and send no request twice (default: none)',
  },
  offline,
];

/** The folder of the results, which is `fovea-results` for most commands. */
export function out(description: string, folder: string, alias?: string): OptionSpec {
  return {
    flags: '-o, --out <folder>',
    description,
    group: 'Output:',
    default: folder,
    ...(alias !== undefined && { aliases: [`${alias} <folder>`] }),
  };
}

export const resume: OptionSpec = {
  flags: '--resume',
  description: 'keep the results of the same request in the folder, and do the rest',
};

export const format: OptionSpec = {
  flags: '--format <formats>',
  description: `files to write, separated by commas: ${FORMATS.join(', ')} (default: all three)`,
  parse: namesOf(FORMATS),
};

export const colormap: OptionSpec = {
  flags: '--colormap <name>',
  description:
    'colors of the .png, such as viridis, turbo or grey (default: inferno; ice-fire for signed ' +
    'maps)',
};

/** How the .png files of maps are drawn. */
export const drawing: readonly OptionSpec[] = [
  colormap,
  {
    flags: '--opacity <share>',
    description: 'opacity of the strongest color in the .png, from 0 to 1',
    parse: numberFrom(0, 1),
    default: 0.8,
  },
  {
    flags: '--annotate',
    description:
      'write the class, its probability and the method above the picture in the .png, and draw a ' +
      'color bar below it',
  },
];

/** Options for the output of a command. */
export const outputOptions: readonly OptionSpec[] = [
  {
    flags: '--json',
    description:
      'one JSON object per line on stdout, each as soon as its result is done, instead of a table',
  },
  {
    flags: '-q, --quiet',
    description: 'print nothing but errors: no table, no warnings, no progress',
  },
];

/** The option of commands that only describe something. */
export const json: OptionSpec = { flags: '--json', description: 'print JSON' };
