import { Command, Option } from 'commander';
import { VERSION } from '../version.ts';
import { commands } from './commands.ts';
import { rootExamples } from './examples.ts';
import type { CommandSpec, OptionSpec } from './spec.ts';

/** Another spelling of an option. It sets the value of that option; the help does not show it. */
class AliasOption extends Option {
  readonly #attribute: string;

  constructor(flags: string, attribute: string) {
    super(flags);
    this.#attribute = attribute;
    this.hideHelp();
  }

  override attributeName(): string {
    return this.#attribute;
  }
}

function addOption(command: Command, spec: OptionSpec): void {
  if (spec.group !== undefined) command.optionsGroup(spec.group);
  const option = new Option(spec.flags, spec.description).makeOptionMandatory(
    spec.isRequired === true,
  );
  if (spec.default !== undefined) option.default(spec.default);
  const all = [
    option,
    ...(spec.aliases ?? []).map((flags) => new AliasOption(flags, option.attributeName())),
  ];
  for (const each of all) {
    if (spec.parse)
      each.argParser<unknown>(spec.parse as (text: string, before: unknown) => unknown);
    command.addOption(each);
  }
}

/**
 * The command line with a flag before each value of a `gathers` option: `--preprocess a=1 b=2`
 * becomes `--preprocess a=1 --preprocess b=2`.
 */
function expandValues(args: readonly string[], { options }: CommandSpec): string[] {
  const expanded: string[] = [];
  let gathering: { readonly flag: string; readonly pattern: RegExp } | undefined;
  for (const [i, arg] of args.entries()) {
    const spec = options.find(({ flags, gathers }) => gathers && flags.split(' ')[0] === arg);
    const isFirstValue = gathering?.flag === args[i - 1];
    if (spec?.gathers) gathering = { flag: arg, pattern: spec.gathers };
    else if (gathering && !isFirstValue) {
      if (gathering.pattern.test(arg)) expanded.push(gathering.flag);
      else gathering = undefined;
    }
    expanded.push(arg);
  }
  return expanded;
}

/** Registers the plugins of `--plugin`, before the command looks up any name. */
async function loadPlugins({ plugin = [] }: { plugin?: readonly string[] }): Promise<void> {
  if (plugin.length === 0) return;
  const { registerPluginFile } = await import('./plugins.ts');
  for (const file of plugin) await registerPluginFile(file);
}

/** Adds a command of the table. The command passes its exit code to `end`. */
function addCommand(
  program: Command,
  name: string,
  spec: CommandSpec,
  signal: AbortSignal,
  end: (exitCode: number) => void,
): void {
  const command = program
    .command(name)
    .summary(spec.summary)
    .description(spec.description)
    .addHelpText('after', spec.examples);
  for (const argument of spec.arguments) command.argument(argument.name, argument.description);
  for (const option of spec.options) addOption(command, option);
  command.action(async () => {
    await loadPlugins(command.opts());
    const action = await spec.load();
    end(await action(command.args, command.opts<never>(), signal));
  });
}

/** Runs a command line, without the program's name, and returns the exit code of its command. */
export async function runProgram(args: readonly string[], signal: AbortSignal): Promise<number> {
  let exitCode = 0;
  const program = new Command('fovea')
    .description('Shows what an image classifier looks at.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .configureHelp({ helpWidth: Math.min(80, process.stdout.columns ?? 80) })
    .showSuggestionAfterError(true)
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', rootExamples);
  for (const [name, spec] of Object.entries(commands)) {
    addCommand(program, name, spec, signal, (code) => {
      exitCode = code;
    });
  }
  const [first, second] = args;
  if (first === 'help' && second !== undefined && !Object.hasOwn(commands, second))
    await program.parseAsync([second], { from: 'user' });
  const spec = first !== undefined && Object.hasOwn(commands, first) ? commands[first] : undefined;
  await program.parseAsync(spec ? expandValues(args, spec) : [...args], { from: 'user' });
  return exitCode;
}
