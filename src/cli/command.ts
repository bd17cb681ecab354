import { Command, Option } from 'commander';
import { DEVICES } from '../runtime/runtime.ts';
import { VERSION } from '../version.ts';
import { colormapNames } from '../visualize/colormap.ts';
import type { AlternatesFlags } from './commands/alternates.ts';
import type { EvaluateFlags } from './commands/evaluate.ts';
import type { ExplainFlags } from './commands/explain.ts';
import type { IassaFlags } from './commands/iassa.ts';
import type { IiaFlags } from './commands/iia.ts';
import type { SagFlags } from './commands/sag.ts';
import type { SegmentationFlags } from './commands/segmentation.ts';
import {
  alternatesExamples,
  evaluateExamples,
  explainExamples,
  iassaExamples,
  iiaExamples,
  rootExamples,
  sagExamples,
  segmentationExamples,
} from './examples.ts';
import { collect, FORMATS, integerFrom, names, namesOf, perCents, shareOf } from './options.ts';

/** What a parsed command line comes to. */
export interface Invocation {
  exitCode: number;
}

const MODEL =
  'demo-cnn, demo-cnn-biased or demo-vit (built in; they know 32 kinds of toy objects), an .onnx file, a folder in Hugging Face layout, a hub id (OWNER/NAME), or the http(s) address of an Open Inference Protocol model';

/** Options that every command which runs methods has. */
function addSamplingOptions(command: Command): Command {
  return command
    .option('--seed <n>', 'seed of all randomness', integerFrom(0, 2 ** 32 - 1), 0)
    .option(
      '--batch-size <n>',
      'pictures a model call; results do not depend on it (default: as memory allows)',
      integerFrom(1),
    );
}

/** Options that every command which runs a model has. */
function addModelOptions(command: Command): Command {
  return command
    .optionsGroup('Model:')
    .option('-m, --model <model>', MODEL, 'demo-cnn')
    .addOption(
      new Option('--device <device>', 'where the model runs').choices(DEVICES).default('cpu'),
    )
    .option(
      '--threads <n>',
      'threads of the CPU to use (default: one a core)',
      integerFrom(1, 1024),
    )
    .option(
      '--preprocess <key=value>',
      'replaces a part of the preprocessing: size, mean, std, colour, scale, resize, shorterSide or filter; may be given several times',
      collect,
    )
    .option('--offline', 'use only what is on this machine: no downloads');
}

/** Options that every command which writes maps has. */
function addRunOptions(command: Command): Command {
  return command
    .option(
      '--format <formats>',
      `files to write, separated by commas: ${FORMATS.join(', ')} (default: all three)`,
      namesOf(FORMATS),
    )
    .option(
      '--colormap <name>',
      `colours of the .png: ${colormapNames.join(', ')} (default: inferno; ice-fire for signed maps)`,
    )
    .option('--json', 'one JSON object a line on stdout instead of a table')
    .option('-q, --quiet', 'say nothing but errors');
}

function addExplain(program: Command, signal: AbortSignal, invocation: Invocation): void {
  const command = program
    .command('explain')
    .summary('show what a classifier looks at in pictures')
    .description('Show what a classifier looks at in pictures.')
    .argument(
      '<image...>',
      'pictures, folders of pictures, glob patterns, or .npy files with a preprocessed 1×C×H×W input',
    )
    .optionsGroup('Explanation:')
    .option(
      '--method <names>',
      'methods, separated by commas (list them with: fovea methods) (default: "iassa")',
      names,
    )
    .option(
      '-t, --target <class>',
      'class to explain: top1, top:N, a class index or a label',
      'top1',
    )
    .option(
      '--set <method.option=value>',
      'an option of a method; may be given several times',
      collect,
    );
  addModelOptions(addSamplingOptions(command))
    .optionsGroup('Output:')
    .option('-o, --out <folder>', 'where results go', 'fovea-results');
  addRunOptions(command)
    .addHelpText('after', explainExamples)
    .action(async (images: string[], flags: ExplainFlags) => {
      const { explainCommand } = await import('./commands/explain.ts');
      invocation.exitCode = await explainCommand(images, flags, signal);
    });
}

function addIassa(program: Command, signal: AbortSignal, invocation: Invocation): void {
  const command = program
    .command('iassa')
    .summary('maps and measures of the IASSA paper for a set of pictures')
    .description(
      'Maps and measures of the IASSA paper (Vasu & Long, WACV 2020) for a set of pictures.',
    )
    .optionsGroup('Explanation:')
    .requiredOption('--query-path <path...>', 'pictures: glob patterns, folders or files')
    .option(
      '--gt-path <folder>',
      'masks of the objects; pictures with a mask of the same name are measured',
    )
    .option('-t, --target <class>', 'class to explain: top1, a class index or a label', 'top1')
    .option(
      '--set <option=value>',
      'an option of iassa (list them with: fovea methods iassa); may be given several times',
      collect,
    );
  addModelOptions(addSamplingOptions(command))
    .optionsGroup('Output:')
    .option('--save-path <folder>', 'where maps, overlays and manifests go', 'fovea-results');
  addRunOptions(command)
    .addHelpText('after', iassaExamples)
    .action(async (flags: IassaFlags) => {
      const { iassaCommand } = await import('./commands/iassa.ts');
      invocation.exitCode = await iassaCommand(flags, signal);
    });
}

function addIia(program: Command, signal: AbortSignal, invocation: Invocation): void {
  const command = program
    .command('iia')
    .summary('maps of the IIA paper for a list of pictures and classes')
    .description(
      'Maps of the IIA paper (Barkan et al., ICCV 2023) for a list of pictures and classes.',
    )
    .optionsGroup('Explanation:')
    .requiredOption(
      '--pics <file>',
      'list of pictures: FILE CLASS on each line, the class an index',
    )
    .option('--images <folder>', 'where the files of the list are (default: beside the list)')
    .option(
      '-t, --target <class>',
      'class to explain instead of that of the list: top1, a class index or a label',
    )
    .option(
      '--set <option=value>',
      'an option of iia (list them with: fovea methods iia); may be given several times',
      collect,
    );
  addModelOptions(addSamplingOptions(command))
    .optionsGroup('Output:')
    .option('-o, --out <folder>', 'where results go', 'fovea-results');
  addRunOptions(command)
    .addHelpText('after', iiaExamples)
    .action(async (flags: IiaFlags) => {
      const { iiaCommand } = await import('./commands/iia.ts');
      invocation.exitCode = await iiaCommand(flags, signal);
    });
}

function addSag(program: Command, signal: AbortSignal, invocation: Invocation): void {
  const command = program
    .command('sag')
    .summary('structured attention graphs: which parts of a picture suffice')
    .description(
      'Structured attention graphs (Shitole et al., NeurIPS 2021): sets of patches each of which suffices for the class, and what is lost with each patch.',
    )
    .argument(
      '<image...>',
      'pictures, folders of pictures, glob patterns, or .npy files with a preprocessed 1×C×H×W input',
    )
    .optionsGroup('Explanation:')
    .option('-t, --target <class>', 'class to explain: top1, a class index or a label', 'top1')
    .option(
      '--set <option=value>',
      'an option of sag (list them with: fovea methods sag); may be given several times',
      collect,
    );
  addModelOptions(addSamplingOptions(command))
    .optionsGroup('Output:')
    .option(
      '-o, --out <folder>',
      'where results go; pictures that it has results of are left out',
      'fovea-results',
    )
    .option('--again', 'does pictures again that the folder has results of')
    .option(
      '--colormap <name>',
      `colours of the map: ${colormapNames.join(', ')} (default: inferno)`,
    )
    .option('--json', 'one JSON object a line on stdout instead of a table')
    .option('-q, --quiet', 'say nothing but errors')
    .addHelpText('after', sagExamples)
    .action(async (images: string[], flags: SagFlags) => {
      const { sagCommand } = await import('./commands/sag.ts');
      invocation.exitCode = await sagCommand(images, flags, signal);
    });
}

function addAlternates(program: Command, signal: AbortSignal, invocation: Invocation): void {
  const command = program
    .command('alternates')
    .summary('what else could stand in the salient region without changing the prediction')
    .description(
      'Alternate explanations (Thakur & Fischmeister, ICPR 2020): replaces the salient region by other contents and keeps what leaves the prediction as it is.',
    )
    .argument('<image...>', 'pictures, folders of pictures or glob patterns')
    .optionsGroup('Explanation:')
    .option('--method <name>', 'method whose map says what is salient', 'oise')
    .option('-t, --target <class>', 'class to explain: top1, a class index or a label', 'top1')
    .option('--set <option=value>', 'an option of the method; may be given several times', collect)
    .option(
      '--shares <per-cents>',
      'shares of the box around the salient region that are replaced, separated by commas',
      perCents,
      [50, 60, 70, 80, 90],
    )
    .option('--candidates <n>', 'variations for each share', integerFrom(1, 10_000), 24)
    .option(
      '--threshold <share>',
      'what lies above this share of the range of the map is salient',
      shareOf,
      0.5,
    )
    .option(
      '--pictures <path...>',
      'pictures of your own to fill the region with, besides blurs, textures, colours and other parts of the picture',
    )
    .option(
      '--inpaint <model.onnx>',
      'an ONNX model instead, to a picture from picture [1, 3, H, W] and hole [1, 1, H, W], from both as four channels, or from a latent vector [1, k]',
    );
  addModelOptions(addSamplingOptions(command))
    .optionsGroup('Output:')
    .option('-o, --out <folder>', 'where results go', 'fovea-results')
    .option('--json', 'one JSON object a line on stdout instead of a table')
    .option('-q, --quiet', 'say nothing but errors')
    .addHelpText('after', alternatesExamples)
    .action(async (images: string[], flags: AlternatesFlags) => {
      const { alternatesCommand } = await import('./commands/alternates.ts');
      invocation.exitCode = await alternatesCommand(images, flags, signal);
    });
}

/** Options of the commands that score methods over a data set. */
function addBenchmarkOptions(command: Command): Command {
  return command
    .option(
      '--methods <names>',
      'methods, separated by commas, or all; the controls random and centre always run too (default: "iassa,rise,iia,grad-cam")',
      names,
    )
    .option(
      '--set <name.option=value>',
      'an option of a method or a metric; may be given several times',
      collect,
    )
    .option('--seed <n>', 'seed of all randomness', integerFrom(0, 2 ** 32 - 1), 0)
    .option('--limit <n>', 'only the first pictures', integerFrom(1))
    .option('--seeded-sample <n>', 'only this many pictures, drawn with the seed', integerFrom(1))
    .option(
      '--shard <k/n>',
      'only every n-th picture from the k-th on, to share the work; auto/n takes k from JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID',
    )
    .option(
      '--batch-size <n>',
      'pictures a model call; results do not depend on it (default: as memory allows)',
      integerFrom(1),
    );
}

/** Where the results of a benchmark go. */
function addReportOptions(command: Command): Command {
  return command
    .optionsGroup('Output:')
    .option('-o, --out <folder>', 'where scores and report go', 'fovea-benchmark')
    .option('--resume', 'go on with the scores that are in the folder')
    .option(
      '--gallery <n>',
      'pictures shown in the report, those first on which the methods disagree most',
      integerFrom(0, 1000),
      12,
    )
    .option('--json', 'one JSON object a line on stdout instead of a table')
    .option('-q, --quiet', 'say nothing but errors');
}

function addEvaluate(program: Command, signal: AbortSignal, invocation: Invocation): void {
  const command = program
    .command('evaluate')
    .summary('score methods over a data set: table, curves, report')
    .description('Score methods over a data set: scores as they come, then a table and a report.')
    .optionsGroup('Benchmark:')
    .option('--dataset <kind:path>', 'the pictures and their truth (see below)')
    .option(
      '--data <key=value>',
      'a setting of the data set, as in masks=union; may be given several times',
      collect,
    )
    .option('--pics <file>', 'a list of pictures, FILE CLASS on each line, instead of --dataset')
    .option('--images <folder>', 'where the pictures of the data set are, if not where it says')
    .addOption(
      new Option(
        '-t, --target <policy>',
        'class to explain; recognised: only pictures that the model gets right (default: ground-truth where there are labels)',
      ).choices(['ground-truth', 'recognised', 'predicted']),
    )
    .option(
      '--metrics <names>',
      'metrics, separated by commas, NAME or NAME:PROTOCOL, or all (default: those of the IASSA paper)',
      names,
    );
  addReportOptions(addModelOptions(addBenchmarkOptions(command)))
    .addHelpText('after', evaluateExamples)
    .action(async (flags: EvaluateFlags) => {
      const { evaluateCommand } = await import('./commands/evaluate.ts');
      invocation.exitCode = await evaluateCommand(flags, signal);
    });
}

function addSegmentation(program: Command, signal: AbortSignal, invocation: Invocation): void {
  const command = program
    .command('segmentation')
    .summary('score maps as segmentations, as in the IIA paper')
    .description(
      'Score maps as segmentations by the protocol of the IIA paper (Barkan et al., ICCV 2023).',
    )
    .optionsGroup('Benchmark:')
    .requiredOption(
      '--dataset <kind:path>',
      'voc:FOLDER, coco:FOLDER or imagenet:FILE (gtsegs_ijcv.mat)',
    )
    .option(
      '--images <folder>',
      'where the pictures of coco are, if not beside the instances file',
    );
  addReportOptions(addModelOptions(addBenchmarkOptions(command)))
    .addHelpText('after', segmentationExamples)
    .action(async (flags: SegmentationFlags) => {
      const { segmentationCommand } = await import('./commands/segmentation.ts');
      invocation.exitCode = await segmentationCommand(flags, signal);
    });
}

function addMethods(program: Command, invocation: Invocation): void {
  program
    .command('methods')
    .summary('list the methods, or describe one with its options')
    .description('List the explanation methods there are, or describe one with its options.')
    .argument('[name]', 'a method')
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, flags: { json?: boolean }) => {
      const { methodsCommand } = await import('./commands/methods.ts');
      invocation.exitCode = methodsCommand(name, flags);
    });
}

function addInspect(program: Command, signal: AbortSignal, invocation: Invocation): void {
  program
    .command('inspect')
    .summary('describe a model: classes, preprocessing, gradients, feature maps')
    .description(
      'Describe a model: inputs, outputs, classes, preprocessing, operators; whether it can be differentiated (it is run forward and backward once); feature maps.',
    )
    .argument('<model>', MODEL)
    .addOption(
      new Option('--device <device>', 'where the model runs').choices(DEVICES).default('cpu'),
    )
    .option('--offline', 'use only what is on this machine: no downloads')
    .option('--json', 'as JSON')
    .action(async (model: string, flags) => {
      const { inspectCommand } = await import('./commands/inspect.ts');
      invocation.exitCode = await inspectCommand(model, flags, signal);
    });
}

/** The command line of `fovea`. Commands load their code when they run, so that help is quick. */
export function createProgram(signal: AbortSignal, invocation: Invocation): Command {
  const program = new Command('fovea')
    .description('Shows what an image classifier looks at.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showSuggestionAfterError(true)
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', rootExamples);
  addExplain(program, signal, invocation);
  addMethods(program, invocation);
  addInspect(program, signal, invocation);
  addIassa(program, signal, invocation);
  addSag(program, signal, invocation);
  addAlternates(program, signal, invocation);
  addIia(program, signal, invocation);
  addEvaluate(program, signal, invocation);
  addSegmentation(program, signal, invocation);
  return program;
}
