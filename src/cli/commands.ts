import { describeExamples, examples } from './examples.ts';
import { collect, integerFrom, names, oneOf, percentages, shareOf } from './parsers.ts';
import * as shared from './shared-options.ts';
import type { CommandSpec, OptionSpec } from './spec.ts';

/** Options of every command that makes maps and writes them. */
const explaining: readonly OptionSpec[] = [
  { ...shared.target, group: 'Explanation:' },
  shared.set,
  shared.seed,
  shared.batchSize,
  shared.plugin,
  ...shared.modelOptions,
];

/** The option `--target` of commands that explain one class per picture. */
const oneTarget: OptionSpec = {
  ...shared.target,
  description: 'class to explain: top1, a class index or a label (default: top1)',
};

/** Replaces the option of a list that has the same flags as `changed`. */
const withOption = (options: readonly OptionSpec[], changed: OptionSpec): OptionSpec[] =>
  options.map((option) =>
    option.flags === changed.flags ? { ...changed, group: option.group } : option,
  );

/** Options of commands that write the files of maps. */
const mapOutput: readonly OptionSpec[] = [
  shared.format,
  ...shared.drawing,
  shared.resume,
  ...shared.outputOptions,
];

/** Options of the commands that score methods over a data set. */
const scoring: readonly OptionSpec[] = [
  {
    ...shared.methods,
    description:
      'methods, separated by commas, or all; the controls random and centre always run too ' +
      '(default: iassa,rise,iia,grad-cam)',
  },
  { ...shared.set, description: 'an option of a method or a metric; may be given several times' },
  shared.seed,
  { flags: '--limit <n>', description: 'use only the first n pictures', parse: integerFrom(1) },
  {
    flags: '--seeded-sample <n>',
    description: 'use only n pictures, drawn with the seed',
    parse: integerFrom(1),
  },
  {
    flags: '--shard <k/n>',
    description:
      'use only every n-th picture from the k-th on, to share the work; auto/n reads k from ' +
      'JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID',
  },
  shared.batchSize,
  shared.plugin,
  ...shared.modelOptions,
  shared.out('folder for scores and report', 'fovea-benchmark'),
  shared.resume,
  {
    flags: '--gallery <n>',
    description: 'number of pictures in the report: those on which the methods disagree most',
    parse: integerFrom(0, 1000),
    default: 12,
  },
  ...shared.outputOptions,
];

/** Options of the commands that list methods, metrics or data sets. */
const describing: readonly OptionSpec[] = [shared.plugin, shared.json];

/** All commands by name, in the order of the help. */
export const commands: Readonly<Record<string, CommandSpec>> = {
  explain: {
    summary: 'show which parts of a picture a classifier uses',
    description: 'Show which parts of a picture a classifier uses for a class.',
    arguments: [shared.images],
    options: [
      { ...shared.methods, group: 'Explanation:' },
      shared.against,
      shared.check,
      ...explaining,
      shared.out('where results go', 'fovea-results'),
      ...mapOutput,
    ],
    examples: examples.explain,
    load: async () => (await import('./commands/explain.ts')).explainCommand,
  },
  methods: {
    summary: 'list the methods, or describe one with its options',
    description:
      'List the explanation methods, or describe one with its options. With --model: list which ' +
      'of them run on that model, and why the others do not.',
    arguments: [{ name: '[name]', description: 'a method' }],
    options: [
      ...describing,
      ...withOption(shared.modelOptions, { ...shared.model, description: shared.MODEL }),
    ],
    examples: describeExamples('methods', 'rise', '\n  fovea methods --model mobilenet_v2.onnx'),
    load: async () => (await import('./commands/methods.ts')).methodsCommand,
  },
  metrics: {
    summary: 'list the metrics, or describe one with its protocols and options',
    description: 'List the metrics for fovea evaluate, or describe one with its protocols.',
    arguments: [{ name: '[name]', description: 'a metric' }],
    options: describing,
    examples: describeExamples('metrics', 'deletion'),
    load: async () => (await import('./commands/metrics.ts')).metricsCommand,
  },
  datasets: {
    summary: 'list the kinds of data sets, or describe one with its options',
    description:
      'List the kinds of data sets for fovea evaluate, or describe one with its ' + 'options.',
    arguments: [{ name: '[name]', description: 'a kind of data set' }],
    options: describing,
    examples: describeExamples('datasets', 'coco'),
    load: async () => (await import('./commands/datasets.ts')).datasetsCommand,
  },
  inspect: {
    summary: 'describe a model: classes, preprocessing, gradients, feature maps',
    description:
      'Describe a model: inputs, outputs, classes, preprocessing, operators; whether it can be ' +
      'differentiated (it is run forward and backward once); feature maps.',
    arguments: [{ name: '<model>', description: shared.MODEL }],
    options: [
      {
        flags: '--classes [text]',
        description:
          'list the classes with their indices, or those whose label contains the text; give it ' +
          'after the model',
      },
      shared.device,
      shared.offline,
      shared.json,
    ],
    examples: examples.inspect,
    load: async () => (await import('./commands/inspect.ts')).inspectCommand,
  },
  iassa: {
    summary: 'maps and measures of the IASSA paper for a set of pictures',
    description:
      'Maps and measures of the IASSA paper (Vasu & Long, WACV 2020) for a set of pictures.',
    arguments: [{ ...shared.images, name: '[image...]' }],
    options: [
      {
        flags: '--query-path <path...>',
        description: "more pictures, by the paper's own name of the option",
        group: 'Explanation:',
      },
      {
        flags: '--masks <folder>',
        description:
          'masks of the objects; pictures that have a mask of the same name are measured ' +
          '(--gt-path in the paper)',
        aliases: ['--gt-path <folder>'],
      },
      ...withOption(explaining, oneTarget),
      shared.out(
        'folder for maps, overlays and manifests (--save-path in the paper)',
        'fovea-results',
        '--save-path',
      ),
      ...mapOutput,
    ],
    examples: examples.iassa,
    load: async () => (await import('./commands/iassa.ts')).iassaCommand,
  },
  sag: {
    summary: 'find sets of patches each of which is enough for the class',
    description:
      'Structured attention graphs (Shitole et al., NeurIPS 2021): sets of patches each of ' +
      'which is enough for the class, and the loss of confidence without each patch.',
    arguments: [shared.images],
    options: [
      ...withOption(explaining, oneTarget),
      shared.out('where results go', 'fovea-results'),
      shared.colormap,
      shared.resume,
      ...shared.outputOptions,
    ],
    examples: examples.sag,
    load: async () => (await import('./commands/sag.ts')).sagCommand,
  },
  studio: {
    summary: 'explore a model in the browser; nothing leaves this machine',
    description:
      'Serves the studio: a page on which you drop a picture and a model, and see the reasons ' +
      'for its prediction. The model runs in your browser; nothing is sent anywhere. ' +
      'With --allow-hub the page may download models from a hub. It asks before it does so.',
    arguments: [],
    options: [
      {
        flags: '--port <n>',
        description: 'port of the page; 0: any free port',
        parse: integerFrom(0, 65535),
        default: 8642,
      },
      {
        flags: '--host <address>',
        description: 'address of the server; other machines reach the page only if you change it',
        default: '127.0.0.1',
      },
      {
        flags: '-m, --model <model>',
        description: 'model to start with: demo-cnn, demo-cnn-biased, demo-vit or an .onnx file',
      },
      { flags: '--no-open', description: 'do not open the browser' },
      {
        flags: '--allow-hub',
        description: 'let the page download models from the Hugging Face hub; it asks each time',
      },
      {
        flags: '--write <folder>',
        description: 'write the page to a folder, for any web server, instead of serving it',
      },
    ],
    examples: examples.studio,
    load: async () => (await import('./commands/studio.ts')).studioCommand,
  },
  alternates: {
    summary: 'replace the salient region and see whether the prediction changes',
    description:
      'Alternate explanations (Thakur & Fischmeister, ICPR 2020): replaces the salient region ' +
      'by other contents, and reports which of them do not change the prediction.',
    arguments: [
      { name: '<image...>', description: 'pictures, folders of pictures or glob patterns' },
    ],
    options: [
      {
        ...shared.methods,
        description: 'the method whose map gives the salient region; only one (default: oise)',
        group: 'Explanation:',
      },
      ...withOption(explaining, oneTarget),
      {
        flags: '--shares <percentages>',
        description:
          'percentages of the box around the salient region to replace, separated by commas',
        group: 'Variations:',
        parse: percentages,
        default: [50, 60, 70, 80, 90],
      },
      {
        flags: '--candidates <n>',
        description: 'variations per share',
        parse: integerFrom(1, 10_000),
        default: 24,
      },
      {
        flags: '--threshold <share>',
        description: 'pixels above this share of the range of the map are salient',
        parse: shareOf,
        default: 0.5,
      },
      {
        flags: '--pictures <path...>',
        description:
          'your own pictures to fill the region with, in addition to blurs, textures, colors ' +
          'and other parts of the picture',
      },
      {
        flags: '--inpaint <model.onnx>',
        description:
          'an ONNX model that fills the region instead; its input is the picture [1, 3, H, W] ' +
          'and the hole [1, 1, H, W], or both as four channels, or a latent vector [1, k]; its ' +
          'output is a picture',
      },
      shared.out('where results go', 'fovea-results'),
      ...shared.outputOptions,
    ],
    examples: examples.alternates,
    load: async () => (await import('./commands/alternates.ts')).alternatesCommand,
  },
  iia: {
    summary: 'maps of the IIA paper for a list of pictures and classes',
    description:
      'Maps of the IIA paper (Barkan et al., ICCV 2023) for a list of pictures and classes.',
    arguments: [],
    options: [
      {
        flags: '--pics <file>',
        description: 'list of pictures: FILE CLASS on each line, the class an index',
        group: 'Explanation:',
        isRequired: true,
      },
      {
        flags: '--images <folder>',
        description: 'folder of the files of the list (default: the folder of the list)',
      },
      ...withOption(explaining, {
        ...shared.target,
        description:
          'class to explain instead of the class in the list: top1, top:N, a class index or a ' +
          'label; may be given several times',
      }),
      shared.out('where results go', 'fovea-results'),
      ...mapOutput,
    ],
    examples: examples.iia,
    load: async () => (await import('./commands/iia.ts')).iiaCommand,
  },
  evaluate: {
    summary: 'score methods over a data set: table, curves, report',
    description:
      'Score methods over a data set. Writes each score at once, then a table and a ' + 'report.',
    arguments: [],
    options: [
      {
        flags: '--dataset <kind:path>',
        description:
          'the pictures with their labels or masks (list the kinds with: fovea ' + 'datasets)',
        group: 'Evaluation:',
      },
      {
        flags: '--data <key=value>',
        description: 'a setting of the data set, as in masks=union; may be given several times',
        parse: collect,
      },
      {
        flags: '--pics <file>',
        description: 'a list of pictures, FILE CLASS on each line, instead of --dataset',
      },
      {
        flags: '--images <folder>',
        description: 'folder of the pictures, if it is not the usual one of the data set',
      },
      {
        flags: '--classes <policy>',
        description:
          'which class of each picture is explained: ground-truth, predicted, or recognised ' +
          '(ground-truth, but only of pictures that the model classifies correctly) (default: ' +
          'ground-truth if there are labels)',
        parse: oneOf(['ground-truth', 'recognised', 'predicted']),
        aliases: ['-t, --target <policy>'],
      },
      {
        flags: '--metrics <names>',
        description:
          'metrics, separated by commas, NAME or NAME:PROTOCOL, or all; list them with: fovea ' +
          'metrics (default: those of the IASSA paper)',
        parse: names,
      },
      ...scoring,
    ],
    examples: examples.evaluate,
    load: async () => (await import('./commands/evaluate.ts')).evaluateCommand,
  },
  segmentation: {
    summary: 'score maps as segmentations, as in the IIA paper',
    description:
      'Score maps as segmentations by the protocol of the IIA paper (Barkan et al., ICCV 2023).',
    arguments: [],
    options: [
      {
        flags: '--dataset <kind:path>',
        description: 'voc:FOLDER, coco:FOLDER or imagenet:FILE (gtsegs_ijcv.mat)',
        group: 'Evaluation:',
        isRequired: true,
      },
      {
        flags: '--images <folder>',
        description: 'folder of the pictures of coco, if they are not beside the instances file',
      },
      ...scoring,
    ],
    examples: examples.segmentation,
    load: async () => (await import('./commands/segmentation.ts')).segmentationCommand,
  },
  demo: {
    summary: 'run all methods on scenes with known objects, and make one page',
    description:
      'Explain scenes of toy objects, whose position is known, with every method and the ' +
      'built-in models, and show the maps on one page. Takes a few minutes.',
    arguments: [],
    options: [
      { flags: '--scenes <n>', description: 'number of scenes', parse: integerFrom(1), default: 3 },
      {
        flags: '--tagged <n>',
        description: 'number of scenes with the sticker that one of the models uses to cheat',
        parse: integerFrom(1),
        default: 1,
      },
      { ...shared.out('folder for the page', 'demo-results'), group: undefined },
    ],
    examples: '',
    load: async () => (await import('./demo/run-demo.ts')).demoCommand,
  },
};
